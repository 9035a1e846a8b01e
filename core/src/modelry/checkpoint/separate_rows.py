"""Rows of a weight table for a model whose stacked parts are modules of their own: what a `Stack` would put together
stays apart, whatever tensors each part has (weight, or qweight, scales, zero points …).

X parts
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from modelry.checkpoint.weight_table import Rename, Row, Split, Stack, compiled

_PART = "{e}"


@dataclass(frozen=True)
class Unstack(Row):
    """One stored tensor, (X, ...), is X tensors of ours, or X for each of several that it has along `dim`.

    It is read so and never written: the parts are written one by one.

    Args:
        model: names with the letter e for the part's number.
        count: X.
    """

    checkpoint: str
    model: tuple[str, ...]
    count: int
    dim: int = 1
    written: bool = dataclasses.field(default=False, init=False)

    @property
    def stored(self) -> tuple[str, ...]:
        return (self.checkpoint,)

    @property
    def ours(self) -> tuple[str, ...]:
        return tuple(name.replace(_PART, str(number)) for name in self.model for number in range(self.count))

    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return [part for one in tensors[0].chunk(len(self.model), self.dim) for part in one.unbind(0)]

    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        raise NotImplementedError(f"{self.checkpoint} is read only")

    def under(self, prefix: str, config: Any) -> Self:
        model = tuple(prefix + name for name in self.model)
        return dataclasses.replace(self, checkpoint=prefix + self.checkpoint, model=model)


def separated(rows: Sequence[Row], counts: Mapping[str, int]) -> list[Row]:
    """Rows in which nothing is stacked that belongs to certain modules.

    Args:
        counts: path of a module whose parts are apart, to X.
    """
    return [other for row in rows for other in _apart(row, counts)]


def _apart(row: Row, counts: Mapping[str, int]) -> list[Row]:
    inside = [_parts(name, counts) for name in row.ours]
    if not inside or None in inside:
        return [row]
    names = [name for name, _ in (one for one in inside if one is not None)]
    count = max(count for _, count in (one for one in inside if one is not None))
    weights = tuple(f"{name}.weight" for name in names)
    if isinstance(row, Stack):
        stored = row.checkpoint.removesuffix(".weight").replace(f"{{{row.number}}}", _PART)
        return [Rename(f"{stored}.{{rest}}", f"{names[0]}.{{rest}}"), Unstack(row.model, weights, count)]
    if isinstance(row, Split):
        return [Unstack(row.checkpoint, weights, count, row.dim)]
    raise TypeError(f"{row} cannot be read into modules of their own")


def _parts(name: str, counts: Mapping[str, int]) -> tuple[str, int] | None:
    """What the tensor of a stack is called when its parts are apart, "layers.{i}.experts.{e}.up_proj", and X."""
    path, _, leaf = name.rpartition(".")
    pattern: re.Pattern[str] = compiled(path)
    found = [count for one, count in counts.items() if pattern.fullmatch(one)]
    return (f"{path}.{_PART}.{leaf}", max(found)) if found else None
