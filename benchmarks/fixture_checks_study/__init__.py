"""Parts of ``benchmarks/fixture_checks.py``: ``pools`` reads real records and deals out sides,
``faults`` spoils them, ``judging`` asks the checks, ``planted`` lists fault, set and check."""
