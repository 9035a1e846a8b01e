"""A training on the hub: its card, and its checkpoints as they are written."""
