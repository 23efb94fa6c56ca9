"""PyTorch components that the chapters build and later chapters import."""
