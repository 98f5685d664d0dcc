"""The parts of ``benchmarks/hamp.py``."""
