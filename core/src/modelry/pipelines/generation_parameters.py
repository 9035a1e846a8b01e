"""What calls of tasks that generate may say beside the task's own: every field of GenerationConfig, and objects."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, model_validator

from modelry.generation import GenerationConfig
from modelry.pipelines.parameters import TaskParameters
from modelry_registry import get_registry, resolve

NOT_HERE = frozenset(
    {"output_attentions", "output_hidden_states", "output_logits", "output_scores", "return_dict_in_generate"}
)
"""Fields that change what `generate` returns; tasks return text. Call `model.generate` for the rest."""

OBJECTS = (
    "assistant_model",
    "assistant_tokenizer",
    "cache",
    "generation_config",
    "generator",
    "logits_processor",
    "negative_prompt_ids",
    "prefix_allowed_tokens_fn",
    "stopping_criteria",
    "streamer",
)
"""Arguments of `generate` that are no values of a generation_config.json."""


class GenerationParameters(TaskParameters):
    """A task's own keywords are fields; those of `generate` are kept beside them, checked by GenerationConfig."""

    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True)

    @classmethod
    def accepted(cls, values: Mapping[str, Any]) -> frozenset[str]:
        """Our fields, GenerationConfig's, the arguments of `generate`, and the chosen strategy's own.

        Raises:
            RegistryError: the strategy is not installed.
        """
        known = {*cls.model_fields, *GenerationConfig.model_fields, *OBJECTS}
        if isinstance(values.get("strategy"), str):
            strategy: Any = resolve(get_registry().get("decoders", values["strategy"]).parameters)
            known |= strategy.model_fields.keys()
        return frozenset(known - NOT_HERE)

    @model_validator(mode="after")
    def _generation_is_possible(self) -> Self:
        fields = GenerationConfig.model_fields
        GenerationConfig(**{name: value for name, value in self.generation.items() if name in fields})
        return self

    @property
    def generation(self) -> dict[str, Any]:
        """What is passed on to `generate`."""
        return dict(self.model_extra or {})
