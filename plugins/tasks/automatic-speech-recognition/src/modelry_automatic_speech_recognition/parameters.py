"""What an automatic-speech-recognition call may say."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from modelry.pipelines.urls import UrlParameters


class SpeechRecognitionParameters(UrlParameters):
    """How a sound is divided, what comes back, and what a model that generates is told."""

    return_timestamps: bool | Literal["char", "word"] = Field(
        False,
        description="True: segments, or words of models that write frame by frame; word; char: of the latter only",
    )
    chunk_length_s: float = Field(
        0.0, ge=0, description="seconds of windows that overlap, batch_size of them at once; 0: one after the other"
    )
    stride_length_s: float | tuple[float, float] | None = Field(
        None, description="seconds that windows share on either side; unset: a sixth of a window"
    )
    output_format: Literal["text", "srt", "vtt"] = Field("text", description="subtitles are added under their name")
    return_language: bool = Field(False, description="its name beside every piece, of models that know several")
    language: str | None = Field(None, description="of models that know several; unset: as the model finds")
    assistant_model: Any = Field(None, description="a smaller model of the same tokenizer, which drafts the text")
    assistant_tokenizer: Any = Field(None, description="its tokenizer, which must be the model's")
    generate_kwargs: dict[str, Any] = Field(default_factory=dict, description="further arguments of generate: task, …")

    ignore_warning: bool = Field(
        False, description="for programs written for transformers, which warns of windows of models that generate"
    )
    show_progress: bool | None = Field(
        None, description="a bar of the seconds heard; unset: in a terminal, where it takes some time"
    )

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        left, right = self.strides
        if self.chunk_length_s and left + right >= self.chunk_length_s:
            raise ValueError(
                f"stride_length_s {left} and {right} leave nothing of chunk_length_s {self.chunk_length_s}: less of it"
            )
        if min(left, right) < 0:
            raise ValueError(f"stride_length_s is {self.stride_length_s}: it cannot be negative")
        return self

    @property
    def strides(self) -> tuple[float, float]:
        """Seconds to the left and to the right that are heard and not written."""
        given = self.chunk_length_s / 6 if self.stride_length_s is None else self.stride_length_s
        return given if isinstance(given, tuple) else (given, given)

    @property
    def timed(self) -> bool:
        """Whether time stamps are needed."""
        return bool(self.return_timestamps) or self.output_format != "text"
