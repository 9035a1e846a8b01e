"""The text-generation pipeline for Modelry."""
