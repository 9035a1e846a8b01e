"""What config.json says of rotary embeddings. Plain data, no torch; the mathematics is in rope.py."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from modelry.errors import ModelryWarning

NEEDED: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor", "original_max_position_embeddings"),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "longrope": ("short_factor", "long_factor", "original_max_position_embeddings"),
}
"""Keys that each variant cannot do without."""

WITHOUT_EFFECT = frozenset({"type", "finetuned"})


class RopeParameters(BaseModel):
    """`rope_parameters` of config.json. Keys that are not set are not written.

    Raises:
        ValueError: a key that the variant needs is missing or impossible. Inside a configuration, ConfigError.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    rope_type: Literal["default", "linear", "dynamic", "yarn", "llama3", "longrope"] = "default"
    rope_theta: float = Field(10000.0, gt=0, description="base of the geometric row of wavelengths")
    partial_rotary_factor: float = Field(1.0, gt=0, le=1, description="part of the head width that is rotated")
    factor: float | None = Field(None, ge=1, description="how much longer the context became")
    original_max_position_embeddings: int | None = Field(None, gt=0, description="positions before it did")
    attention_factor: float | None = Field(None, gt=0, description="multiplies cosine and sine; yarn, longrope")
    beta_fast: float | None = Field(None, gt=0, description="yarn: turns from which on nothing is interpolated")
    beta_slow: float | None = Field(None, gt=0, description="yarn: turns up to which all is interpolated")
    mscale: float | None = Field(None, description="yarn: of the attention factor's numerator")
    mscale_all_dim: float | None = Field(None, description="yarn: of its denominator")
    truncate: bool | None = Field(None, description="yarn: whole numbers as bounds of the ramp; true when not set")
    low_freq_factor: float | None = Field(None, gt=0, description="llama3")
    high_freq_factor: float | None = Field(None, gt=0, description="llama3")
    short_factor: list[float] | None = Field(None, description="longrope: divisor of each frequency, short texts")
    long_factor: list[float] | None = Field(None, description="longrope: divisor of each frequency, long texts")

    @model_validator(mode="after")
    def _variant_is_complete(self) -> Self:
        missing = [key for key in NEEDED[self.rope_type] if getattr(self, key) is None]
        if missing and not (self.rope_type == "yarn" and missing == ["factor"]):
            raise ValueError(f"rope_type {self.rope_type!r} needs {', '.join(missing)}")
        low, high = self.low_freq_factor, self.high_freq_factor
        if self.rope_type == "llama3" and low is not None and high is not None and low >= high:
            raise ValueError(f"low_freq_factor {low} must be less than high_freq_factor {high}")
        fast, slow = self.beta_fast or 32.0, self.beta_slow or 1.0
        if fast < slow:
            raise ValueError(f"beta_fast {fast} must not be less than beta_slow {slow}")
        return self

    def model_post_init(self, context: Any, /) -> None:
        """Warn once, when they are made; validators run again when a configuration is checked again."""
        unknown = sorted(set(self.model_extra or ()) - WITHOUT_EFFECT)
        if unknown:
            warnings.warn(
                f"rope_parameters of type {self.rope_type!r} do not know {', '.join(unknown)}; kept, without effect",
                ModelryWarning,
                stacklevel=2,
            )

    @model_serializer
    def _set_keys(self) -> dict[str, Any]:
        values: dict[str, Any] = {"rope_theta": self.rope_theta, "rope_type": self.rope_type}
        for key in (*type(self).model_fields, *(self.model_extra or ())):
            value = getattr(self, key)
            if value is not None and (key, value) != ("partial_rotary_factor", 1.0):
                values[key] = value
        return values

    def rotated_width(self, head_width: int) -> int:
        """How many of a head's `head_width` values are rotated.

        Raises:
            ValueError: the number is odd or none, or the factors of longrope are not half as many.
        """
        width = int(head_width * self.partial_rotary_factor)
        if width < 2 or width % 2:
            raise ValueError(
                f"head width {head_width} with partial_rotary_factor {self.partial_rotary_factor} rotates {width} "
                "values: rotation works on pairs"
            )
        for key in ("short_factor", "long_factor"):
            factors = getattr(self, key)
            if self.rope_type == "longrope" and len(factors) != width // 2:
                raise ValueError(f"{key} has {len(factors)} values for {width // 2} pairs of rotated values")
        return width


def published_rope(values: Mapping[str, Any], *, theta: float = 10000.0) -> dict[str, Any]:
    """The values of a config.json with everything about rotation gathered under `rope_parameters`.

    Newer files have it there. Older ones have `rope_theta`, `rope_scaling` (whose `rope_type` may be called `type`,
    and longrope `su`), `partial_rotary_factor` and `original_max_position_embeddings` side by side.

    Args:
        values: read, not changed.
        theta: rope_theta where the file names none.

    Returns:
        A copy in which `rope_parameters` is complete and the older keys are gone.
    """
    values = dict(values)
    older = {key: values.pop(key, None) for key in ("rope_scaling", "rope_theta", "partial_rotary_factor")}
    given = values.get("rope_parameters") or older["rope_scaling"] or {}
    if isinstance(given, RopeParameters):
        return values
    if not isinstance(given, Mapping):
        raise ValueError(f"rope_parameters is {given!r}: a mapping with rope_type and its keys is needed")
    rope = {key: value for key, value in given.items() if key != "type"}
    rope.setdefault("rope_type", given.get("type") or "default")
    if rope["rope_type"] == "su":
        rope["rope_type"] = "longrope"
    rope.setdefault("rope_theta", older["rope_theta"] or theta)
    if older["partial_rotary_factor"] is not None:
        rope.setdefault("partial_rotary_factor", older["partial_rotary_factor"])
    if rope["rope_type"] in ("yarn", "llama3", "longrope"):
        outside = values.get("original_max_position_embeddings")
        if outside is not None:
            rope["original_max_position_embeddings"] = outside
        elif values.get("max_position_embeddings") is not None:
            rope.setdefault("original_max_position_embeddings", values["max_position_embeddings"])
    values["rope_parameters"] = rope
    return values
