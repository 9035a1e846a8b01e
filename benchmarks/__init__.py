"""Ours beside transformers and llama.cpp, on the same files, threads and machine: `python -m benchmarks`."""

import sys

sys.modules["torchao"] = None  # type: ignore[assignment]  # the peer imports it wherever it is installed; nothing here uses it
