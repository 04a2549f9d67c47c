"""Benchmarks: `python -m benchmarks NAME` measures ratios in one run and writes them down."""
