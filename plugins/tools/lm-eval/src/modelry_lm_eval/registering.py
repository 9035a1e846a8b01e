"""Telling the harness of the model type `modelry`: it looks for no packages by itself."""

import importlib

NAME = "modelry"


def register() -> None:
    """Let `simple_evaluate(model="modelry", ...)` and `--model modelry` find our models; once or several times."""
    importlib.import_module("lm_eval.models")  # its own names first: it enters them only where there are none
    from lm_eval.api.registry import model_registry  # type: ignore[import-untyped]  # it has no types

    if NAME not in model_registry:
        model_registry.register(NAME, target="modelry_lm_eval.model:ModelryLM")
