"""What a decoding strategy reads of a GenerationConfig, typed and checked. No torch here."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from modelry.generation.configuration import GenerationConfig
from modelry.generation.refusal import refusal


class DecoderParameters(BaseModel):
    """The interface: a strategy subclasses it and lists its fields.

    A field named like one of GenerationConfig takes its value from there; any other name becomes a keyword that
    `generate(strategy=...)` accepts for this strategy only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    strategy_name: ClassVar[str] = "decoder"

    @classmethod
    def from_config(cls, config: GenerationConfig) -> Self:
        """Take the fields from the config; None there leaves a field at its default here.

        Raises:
            GenerationError: a value does not fit this strategy; the message names it.
        """
        values: dict[str, Any] = {name: getattr(config, name, None) for name in cls.model_fields}
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise refusal(cls.strategy_name, error) from error
