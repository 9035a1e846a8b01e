"""The kernel's commands, `modelry run` and `modelry chat`. The registry's own console script finds them lazily."""
