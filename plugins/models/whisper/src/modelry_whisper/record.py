"""What generate() returns of a Whisper where more than ids is asked for."""

from dataclasses import dataclass

from torch import Tensor

from modelry.generation.generated_output import GenerateOutput


@dataclass
class WhisperOutput(GenerateOutput):
    """A record of generation, and what belongs to sound. B rows, T written tokens."""

    token_timestamps: Tensor | None = None
    """(B, T) seconds at which each token ends (return_token_timestamps)."""
    temperatures: tuple[float | None, ...] | None = None
    """(B,) by which each row was written in the end; None: as the options said."""
