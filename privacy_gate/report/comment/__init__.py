"""What the Markdown report is made of: escaped text, tables, a plot, parts to leave out."""
