"""Renderers: each turns a finished report into a text, and none computes a statistic."""
