"""Benchmarks: `make bench`. Each prints what it measured in one run on this machine; none is a test."""
