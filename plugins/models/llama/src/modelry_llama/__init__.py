"""The Llama family for Modelry."""
