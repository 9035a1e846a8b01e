"""The checks of a task."""
