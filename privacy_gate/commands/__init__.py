"""One module per command; ``cli.py`` names them. Each parses arguments and calls the library."""
