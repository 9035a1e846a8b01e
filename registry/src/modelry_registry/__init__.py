"""Finds and describes Modelry plugins, without importing them."""
