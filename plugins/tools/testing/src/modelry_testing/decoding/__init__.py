"""The checks of a decoding strategy."""
