"""The checks of attention functions."""
