"""Ours beside transformers and llama.cpp, on the same files, threads and machine: `python -m benchmarks`."""
