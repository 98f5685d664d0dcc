"""Parts of ``benchmarks/overconfidence.py``: ``data`` reads images and draws who is a member,
``training`` fits networks, ``variants`` calibrates them, ``attackers`` attacks them, ``tables``
prints what came out."""
