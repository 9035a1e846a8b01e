"""Where a published layout differs from a model's: one row per tensor, readable and usable both ways.

    WeightTable(
        Rename("ln_f.weight", "norm.weight"),
        Transpose("h.{i}.mlp.c_fc.weight", "layers.{i}.mlp.up_proj.weight"),
        Split("h.{i}.attn.c_attn.bias", ("layers.{i}.q_proj.bias", "layers.{i}.k_proj.bias", "layers.{i}.v_proj.bias")),
        Stack("layers.{i}.experts.{e}.w1.weight", "layers.{i}.experts.up", over="e"),
        Ignore("h.{i}.attn.masked_bias"),
    )

On the left the checkpoint's names, on the right the model's; `{i}` stands for a number, and `{rest}` for what comes
after the name of a part whose family the table does not know; rows before such a one win. Names of no row are the same
on both sides. Reading and then writing, or the other way round, gives the same names and bits. What is packed is stored
as its layer has it, neither transposed nor laid together with others: so do other tools, and scales belong to its rows.
"""

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from modelry.errors import CheckpointError

__all__ = ["Former", "FormerSplit", "Ignore", "Rename", "Row", "Split", "Stack", "Step", "Transpose", "WeightTable"]

_LETTER = re.compile(r"\{(\w+)\}")
_REST = "rest"


@dataclass(frozen=True)
class Row(ABC):
    """One tensor's way between the two layouts."""

    @property
    @abstractmethod
    def stored(self) -> tuple[str, ...]:
        """Names in the checkpoint, with letters for numbers."""

    @property
    @abstractmethod
    def ours(self) -> tuple[str, ...]:
        """Names in the model, with letters for numbers."""

    @abstractmethod
    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The model's tensors from the checkpoint's."""

    @abstractmethod
    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The checkpoint's tensors from the model's."""

    def views(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The same as `read`, and where that can be without reading: views of the checkpoint's tensors."""
        return self.read(tensors)

    over: str = dataclasses.field(default="", init=False)
    """The letter that numbers the tensors on the checkpoint's side of one step."""
    written: bool = dataclasses.field(default=True, init=False)
    """Whether a model is saved by this row too, and not only read by it."""
    arranges: bool = dataclasses.field(default=False, init=False)
    """Whether values lie otherwise in the checkpoint, as only those of a float tensor can."""

    @abstractmethod
    def under(self, prefix: str, config: Any) -> Self:
        """The same row for a model that sits at `prefix` ("model.") in another; named sizes are taken from `config`."""


@dataclass(frozen=True)
class Rename(Row):
    """The same tensor under another name."""

    checkpoint: str
    model: str

    @property
    def stored(self) -> tuple[str, ...]:
        return (self.checkpoint,)

    @property
    def ours(self) -> tuple[str, ...]:
        return (self.model,)

    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return tensors

    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return tensors

    def under(self, prefix: str, config: Any) -> Self:
        return dataclasses.replace(self, checkpoint=prefix + self.checkpoint, model=prefix + self.model)


@dataclass(frozen=True)
class Former(Rename):
    """The name that a tensor has in older files. It is read under both, and written under the model's own."""

    written: bool = dataclasses.field(default=False, init=False)


@dataclass(frozen=True)
class Transpose(Rename):
    """A matrix stored as (inputs, outputs), as Conv1D layers do; ours is (outputs, inputs)."""

    arranges: bool = dataclasses.field(default=True, init=False)

    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return [tensor.contiguous() for tensor in self.views(tensors)]

    def views(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return [tensor.transpose(-1, -2) for tensor in tensors]

    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return self.read(tensors)


@dataclass(frozen=True)
class Split(Row):
    """One stored tensor is several of ours, one after the other along `dim`.

    Args:
        sizes: lengths along `dim`, as numbers or as names of configuration values; equal parts when empty.
        transposed: it is stored as (inputs, outputs); `dim` counts after the transposition.
    """

    checkpoint: str
    model: tuple[str, ...]
    dim: int = 0
    sizes: tuple[int | str, ...] = ()
    transposed: bool = False
    arranges: bool = dataclasses.field(default=True, init=False)

    @property
    def stored(self) -> tuple[str, ...]:
        return (self.checkpoint,)

    @property
    def ours(self) -> tuple[str, ...]:
        return self.model

    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return [part.contiguous() for part in self.views(tensors)]

    def views(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        (whole,) = tensors
        if self.transposed and whole.dim() > 1:
            whole = whole.transpose(-1, -2)
        length, parts = whole.shape[self.dim], len(self.model)
        sizes = [int(size) for size in self.sizes] or [length // parts] * parts
        if sum(sizes) != length:
            raise CheckpointError(
                f"{self.checkpoint} has length {length} along {self.dim}; {sizes} are to be cut from it"
            )
        return torch.split(whole, sizes, self.dim)

    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        whole = torch.cat(list(tensors), self.dim)
        return [whole.transpose(-1, -2).contiguous() if self.transposed and whole.dim() > 1 else whole]

    def under(self, prefix: str, config: Any) -> Self:
        return dataclasses.replace(
            self,
            checkpoint=prefix + self.checkpoint,
            model=tuple(prefix + name for name in self.model),
            sizes=tuple(getattr(config, size) if isinstance(size, str) else size for size in self.sizes),
        )


@dataclass(frozen=True)
class FormerSplit(Split):
    """Tensors that other files keep in one. It is read so, and written by the rows that speak of the parts."""

    written: bool = dataclasses.field(default=False, init=False)


@dataclass(frozen=True)
class Stack(Row):
    """Several stored tensors, numbered by the letter `number`, are one of ours, stacked along a new first dimension."""

    checkpoint: str
    model: str
    number: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "over", self.number)

    @property
    def stored(self) -> tuple[str, ...]:
        return (self.checkpoint,)

    @property
    def ours(self) -> tuple[str, ...]:
        return (self.model,)

    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        first = tensors[0]
        if any(tensor.shape != first.shape for tensor in tensors):
            raise CheckpointError(f"the tensors {self.checkpoint} have different shapes and cannot be stacked")
        stacked = first.new_empty((len(tensors), *first.shape))
        for place, tensor in zip(stacked, tensors, strict=True):  # torch.stack on meta imports 800 modules
            place.copy_(tensor)
        return [stacked]

    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return list(tensors[0].unbind(0))

    def under(self, prefix: str, config: Any) -> Self:
        return dataclasses.replace(self, checkpoint=prefix + self.checkpoint, model=prefix + self.model)


@dataclass(frozen=True)
class Ignore(Row):
    """A stored tensor that is no weight: an old buffer, a computed table. Never written."""

    checkpoint: str

    @property
    def stored(self) -> tuple[str, ...]:
        return (self.checkpoint,)

    @property
    def ours(self) -> tuple[str, ...]:
        return ()

    def read(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return []

    def write(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        return []

    def under(self, prefix: str, config: Any) -> Self:
        return dataclasses.replace(self, checkpoint=prefix + self.checkpoint)


@dataclass(frozen=True)
class Step:
    """One piece of work: these tensors of the checkpoint are these of the model."""

    stored: tuple[str, ...]
    ours: tuple[str, ...]
    row: Row


class WeightTable:
    """Rows, each a declaration; see the module's first lines.

    Raises:
        ValueError: two rows speak of the same name, or a row's letters differ between its names.
    """

    def __init__(self, *rows: Row) -> None:
        self.rows = rows
        self._stored = _patterns([(name, row) for row in rows for name in row.stored])
        self._ours = _patterns([(name, row) for row in rows if row.written for name in row.ours])
        for row in rows:
            letters = {frozenset(_LETTER.findall(name)) - {row.over} for name in (*row.stored, *row.ours)}
            if len(letters) > 1:
                raise ValueError(f"the names of {row} have different letters for numbers")

    def under(self, prefix: str, config: Any) -> "WeightTable":
        """This table for a model that sits at `prefix` ("model.") inside another."""
        return WeightTable(*(row.under(prefix, config) for row in self.rows))

    def names_stored(self, name: str) -> bool:
        """Whether a row speaks of this name of a checkpoint."""
        return self._find(self._stored, name) is not None

    def reading(self, stored: Collection[str], *, packed: AbstractSet[str] = frozenset()) -> list[Step]:
        """The work that turns a checkpoint with these names into a model.

        Args:
            packed: the model's names of tensors that are stored packed.

        Raises:
            CheckpointError: a numbered tensor is missing in a stack.
        """
        return list(self._steps(stored, self._stored, "stored", packed))

    def writing(
        self, ours: Collection[str], counts: dict[str, int] | None = None, *, packed: AbstractSet[str] = frozenset()
    ) -> list[Step]:
        """The work that turns a model with these names into a checkpoint.

        Args:
            counts: length of the first dimension by name, for the tensors that are stacked.
            packed: those that are packed.

        Raises:
            CheckpointError: a tensor that is stored together with others is missing.
        """
        return list(self._steps(ours, self._ours, "ours", packed, counts or {}))

    def _steps(
        self,
        names: Collection[str],
        patterns: list[tuple[re.Pattern[str], Row]],
        side: str,
        packed: AbstractSet[str],
        counts: Any = None,
    ) -> Iterator[Step]:
        present = set(names)
        done: set[str] = set()
        for name in sorted(present):
            if name in done:
                continue
            found = self._find(patterns, name)
            if found is None:
                yield Step((name,), (name,), Rename(name, name))
                continue
            row, numbers = found
            ours = tuple(_filled(one, numbers) for one in row.ours)
            stored = tuple(_filled(one, numbers) for one in row.stored)
            packed_beside = side == "ours" and _has_packed(ours, present, packed)
            if row.arranges and (packed_beside or not packed.isdisjoint(ours)):
                if len(ours) == 1:
                    row = Rename(stored[0], ours[0])
                elif side == "ours":  # as several tensors, where float ones are stored as one
                    yield Step((name,), (name,), Rename(name, name))
                    continue
            if row.over:
                count = self._count(row, numbers, present) if side == "stored" else counts[ours[0]]
                stored = tuple(_filled(row.stored[0], {**numbers, row.over: n}) for n in range(count))
            step = Step(stored, ours, row)
            needed = stored if side == "stored" else ours
            absent = [one for one in needed if one not in present]
            if absent:
                raise CheckpointError(f"{name} is there without {', '.join(absent)}, and they are one tensor elsewhere")
            done.update(needed)
            yield step

    @staticmethod
    def _count(row: Row, numbers: dict[str, int], present: Collection[str]) -> int:
        others = {letter: number for letter, number in numbers.items() if letter != row.over}
        pattern = compiled(_filled(row.stored[0], others))
        matches = (pattern.fullmatch(name) for name in present)
        return 1 + max(int(match[row.over]) for match in matches if match is not None)

    @staticmethod
    def _find(patterns: list[tuple[re.Pattern[str], Row]], name: str) -> tuple[Row, dict[str, Any]] | None:
        for pattern, row in patterns:
            match = pattern.fullmatch(name)
            if match is not None:
                found = match.groupdict().items()
                return row, {letter: text if letter == _REST else int(text) for letter, text in found}
        return None


def _has_packed(ours: Collection[str], present: Collection[str], packed: Collection[str]) -> bool:
    """Whether one of several tensors is missing since its layer is packed under other names ("q_proj.qweight")."""
    layers = tuple(f"{name.rpartition('.')[0]}." for name in ours if name not in present)
    return bool(layers) and any(name.startswith(layers) for name in packed)


def _patterns(names: list[tuple[str, Row]]) -> list[tuple[re.Pattern[str], Row]]:
    seen: set[str] = set()
    for name, _ in names:
        bare = _LETTER.sub("{}", name)
        if bare in seen:
            raise ValueError(f"two rows of the weight table speak of {name}")
        seen.add(bare)
    return [(compiled(name), row) for name, row in names]


def compiled(name: str) -> re.Pattern[str]:
    """What matches a name with letters for numbers."""
    parts = _LETTER.split(name)
    return re.compile(
        "".join(
            f"(?P<{part}>{'.+' if part == _REST else '[0-9]+'})" if index % 2 else re.escape(part)
            for index, part in enumerate(parts)
        )
    )


def _filled(name: str, numbers: dict[str, int]) -> str:
    return _LETTER.sub(lambda match: str(numbers.get(match[1], match[0])), name)
