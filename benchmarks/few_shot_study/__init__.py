"""Parts of ``benchmarks/few_shot.py``: ``datasets`` reads records, ``targets`` trains models on
coin-flip members, ``attackers`` scores them, ``tables`` prints what came out."""
