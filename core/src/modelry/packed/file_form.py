"""How a scheme's files keep a layer: integers and zero points packed into 32-bit integers, with floating scales.

I input width   O output width   Q groups of inputs in a row
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

Kept = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Name of a tensor in the file to its shape and dtype."""

INTEGERS, ZEROS, SCALES, GROUP_OF_INPUT = "qweight", "qzeros", "scales", "g_idx"
"""GPTQ's and AWQ's names."""


class Names(NamedTuple):
    """Of a layer's tensors in the file."""

    integers: str = INTEGERS
    zeros: str = ZEROS
    scales: str = SCALES
    group_of_input: str = GROUP_OF_INPUT


class FileForm(ABC):
    """One way to keep a layer. Every method has an inverse, bit by bit."""

    names: ClassVar[Names] = Names()
    bits: int
    """Of an integer: 4 or 8."""
    lowest_zero: int = 0
    """Smallest zero point that every reader of such files understands."""

    @abstractmethod
    def tensors(self, *, inputs: int, outputs: int, groups: int) -> Kept:
        """What a file has for a layer, the bias apart."""

    @abstractmethod
    def integers(self, stored: Tensor) -> Tensor:
        """(O, I) bytes."""

    @abstractmethod
    def stored_integers(self, integers: Tensor) -> Tensor:
        """The inverse of `integers`."""

    @abstractmethod
    def zeros(self, stored: Tensor, *, groups: int) -> Tensor:
        """(Q, O) bytes: the integers that stand for 0."""

    @abstractmethod
    def stored_zeros(self, zeros: Tensor) -> Tensor:
        """The inverse of `zeros`."""

    @abstractmethod
    def scales(self, stored: Tensor, *, groups: int) -> Tensor:
        """(Q, O), floating."""

    @abstractmethod
    def stored_scales(self, scales: Tensor) -> Tensor:
        """The inverse of `scales`."""
