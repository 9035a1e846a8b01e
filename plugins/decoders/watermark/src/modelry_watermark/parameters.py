"""What a watermarking_config means: the ecosystem's keys, checked. No torch here."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelry.errors import GenerationError
from modelry.generation.refusal import refusal


class _Read(BaseModel):
    """Strict about names: a misspelt key would mark with another key than the detector looks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, values: Any) -> Self:
        """From a dictionary, a config of this class, or anything with `to_dict`.

        Raises:
            GenerationError: a key is unknown or missing, or its value is impossible.
        """
        if isinstance(values, cls):
            return values
        if callable(getattr(values, "to_dict", None)):
            values = values.to_dict()
        if not isinstance(values, Mapping):
            raise GenerationError(f"watermarking_config is a dictionary, found {type(values).__name__}")
        try:
            return cls(**values)
        except ValidationError as error:
            raise refusal("watermarking_config", error) from error

    def to_dict(self) -> dict[str, Any]:
        """What generation_config.json holds."""
        return self.model_dump()


class WatermarkingConfig(_Read):
    """Green lists: Kirchenbauer et al. 2023, https://arxiv.org/abs/2301.10226."""

    greenlist_ratio: float = Field(0.25, gt=0, lt=1, description="share of the vocabulary that is green")
    bias: float = Field(2.0, allow_inf_nan=False, description="added to the logits of green tokens")
    hashing_key: int = Field(15485863, gt=0, lt=2**63, description="the secret")
    seeding_scheme: Literal["lefthash", "selfhash"] = "lefthash"
    context_width: int = Field(1, gt=0, description="tokens that the seed depends on")


class SynthIDTextWatermarkingConfig(_Read):
    """Tournament sampling: Dathathri et al. 2024, https://www.nature.com/articles/s41586-024-08025-4."""

    ngram_len: int = Field(gt=1, description="tokens that a g-value depends on, the marked one included")
    keys: list[Annotated[int, Field(ge=-(2**63), lt=2**63)]] = Field(
        min_length=1, description="the secret: one a layer"
    )
    context_history_size: int = Field(1024, gt=0, description="contexts that are remembered, and not marked again")
    sampling_table_seed: int = Field(0, ge=0, lt=2**63)
    sampling_table_size: int = Field(2**16, gt=0, le=2**24)
    skip_first_ngram_calls: bool = Field(False, description="do not mark the first ngram_len - 1 tokens")
    debug_mode: Literal[False] = False
