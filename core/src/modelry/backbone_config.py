"""Which stages of an image model give feature maps, as config.json says it. Plain data; needs no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig

_EITHER = ("out_features", "out_indices")


class BackboneConfig(ModelConfig):
    """A configuration of a family that can stand inside another as its backbone.

    `out_features` (names) and `out_indices` (numbers, negative ones from the end) say the same; giving one is enough,
    and without either it is the last stage. `stage_names` follows from the other values: "stem", "stage1" and so on.

    Raises:
        ConfigError: there is no such stage, one is named twice or in another order, or the two contradict each other.
    """

    out_features: list[str] | None = None
    out_indices: list[int] | None = None
    stage_names: list[str] = Field(default_factory=list)

    @property
    def stage_channels(self) -> list[int]:
        """Channels of each stage's feature map, the stem's first. Each family says its own."""
        raise NotImplementedError(f"{type(self).__name__} does not say how many channels its stages have")

    @property
    def channels(self) -> list[int]:
        """Channels of the feature maps that are asked for."""
        every = dict(zip(self.stage_names, self.stage_channels, strict=True))
        return [every[name] for name in self.out_features or ()]

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _EITHER:
            self.__dict__[_EITHER[1 - _EITHER.index(name)]] = None
            self._align()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: Path | str | None = None, **overrides: Any) -> Self:
        """As of any configuration; an override of one of out_features and out_indices replaces both."""
        if any(name in overrides for name in _EITHER):
            values = {key: value for key, value in values.items() if key not in _EITHER}
        return super().from_dict(values, where=where, **overrides)

    @model_validator(mode="after")
    def _stages_are_there(self) -> Self:
        self.__dict__["stage_names"] = ["stem", *(f"stage{one}" for one in range(1, len(self.stage_channels)))]
        self._align()
        return self

    def _align(self) -> None:
        names, numbers, every = self.out_features, self.out_indices, self.stage_names
        if names is None and numbers is None:
            names, numbers = [every[-1]], [len(every) - 1]
        for name in names or ():
            if name not in every:
                raise ValueError(f"out_features names {name!r}; the stages are {', '.join(every)}")
        for number in numbers or ():
            if not -len(every) <= number < len(every):
                raise ValueError(f"out_indices has {number}; there are {len(every)} stages, counted from 0")
        if names is None:
            names = [every[number] for number in numbers or ()]
        if numbers is None:
            numbers = [every.index(name) for name in names]
        if names != [every[number] for number in numbers]:
            raise ValueError(f"out_features {names} and out_indices {numbers} are not the same stages")
        if not names or names != [name for name in every if name in names]:
            raise ValueError(f"out_features {names} must be some of {', '.join(every)}, each once, in this order")
        self.__dict__["out_features"], self.__dict__["out_indices"] = names, numbers
