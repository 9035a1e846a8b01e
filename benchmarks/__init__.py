"""Ours beside transformers, on the same files, the same threads and the same machine: `python -m benchmarks`."""
