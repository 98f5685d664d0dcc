"""Scores of any framework from a file: ``.npz``, ``.csv`` or ``.parquet``; nothing is unpickled.

``reading`` picks the format; ``csv_rows`` and ``parquet_rows`` check every row; ``table`` makes the
two sides of them, one score per group.
"""
