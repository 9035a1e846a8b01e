"""Checkpoints: folders that are whole or not there, of safetensors and JSON only.

torch.load is not used, not even with weights_only=True: it still runs a program written in the file, of a restricted
kind, and what an optimizer, a schedule and generators of random numbers keep is numbers, names and tensors.
"""
