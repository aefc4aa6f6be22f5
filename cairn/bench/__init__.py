"""Benchmarks: each figure beside its bare counterpart, measured in one run on the same machine."""
