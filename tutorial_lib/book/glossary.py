def page(index, stems): return "# Glossary\n"
