"""What measures the records of chapter 07."""
