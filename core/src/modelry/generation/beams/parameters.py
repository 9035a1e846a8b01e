"""What every strategy with beams reads of a GenerationConfig."""

from typing import Literal, Self

from pydantic import Field, model_validator

from modelry.generation.parameters import DecoderParameters


class BeamParameters(DecoderParameters):
    """The interface of such strategies' parameters."""

    num_beams: int = Field(1, gt=0, description="texts followed at a time, for each prompt")
    num_return_sequences: int = Field(1, gt=0, description="texts for each prompt, at most num_beams")
    length_penalty: float = Field(1.0, allow_inf_nan=False, description="above 0 helps long texts, below 0 short ones")
    early_stopping: bool | Literal["never"] = Field(False, description="when a search ends")

    @model_validator(mode="after")
    def _enough_beams(self) -> Self:
        if self.num_return_sequences > self.num_beams:
            raise ValueError(
                f"num_return_sequences={self.num_return_sequences} is more than num_beams={self.num_beams}: "
                f"return at most {self.num_beams}"
            )
        return self
