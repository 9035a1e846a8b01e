"""The checks of a quantization scheme."""
