"""The Modelry kernel: configuration, models, preprocessors, generation and pipelines."""
