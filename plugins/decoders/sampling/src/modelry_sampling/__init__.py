"""Greedy decoding and multinomial sampling for Modelry."""
