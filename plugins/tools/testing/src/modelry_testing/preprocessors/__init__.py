"""The checks of a preprocessor."""
