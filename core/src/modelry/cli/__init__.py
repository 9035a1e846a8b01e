"""The kernel's commands, `modelry run`, `chat` and `quantize`. The registry's own console script finds them lazily."""
