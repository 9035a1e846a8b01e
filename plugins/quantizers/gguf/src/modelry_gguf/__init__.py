"""Reads GGUF files as Modelry checkpoints."""
