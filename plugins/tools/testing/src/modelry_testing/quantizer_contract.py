"""The contract of a quantization scheme: smaller, near, under the same names, and bit-equal when saved and loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from modelry_registry import Quantizer, Registry
from modelry_testing.contract import PluginContract, check
from modelry_testing.quantizing import generating, keeping, packing
from modelry_testing.quantizing.subject import Subject
from modelry_testing.scratch import new_folder
from modelry_testing.toys.family import save_toy, with_toy

_RUNS = ("test_registered", "test_parameters", "test_loads")


class QuantizerContract(PluginContract):
    """What every quantization scheme keeps.

    class TestInt4(QuantizerContract):
        name = "int4"
        parameters = {"group_size": 32}
        error = 0.15
    """

    kind = "quantizers"
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Keys of quantization_config besides quant_method."""
    error: ClassVar[float] = 0.1
    """Largest distance of the logits from the float model's, relative to their size (Euclidean norms)."""
    spare_bits: ClassVar[float] = 2.0
    """Bits a weight that scales and zero points may take, besides those the scheme declares."""
    impossible: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Parameters that must be refused."""

    @classmethod
    def found_in(cls) -> Registry:
        """The registry that knows the plugin, and the toy."""
        outer = super().found_in()
        return cast(Registry, cls.remembered("registry", lambda: with_toy(outer)))

    def model_folder(self, folder: Path) -> Path:
        """Write a float32 checkpoint for the scheme into `folder`: a toy of width 128."""
        return save_toy(folder, hidden_size=128, num_attention_heads=4)

    def subject(self) -> Subject:
        """The scheme and the float model, shared by all checks."""

        def make() -> Subject:
            return Subject(cast(Quantizer, self.spec()), self.model_folder(new_folder()), dict(self.parameters))

        return cast(Subject, self.remembered("subject", make))

    @check(after=("test_registered",))
    def test_parameters(self) -> None:
        """The parameters are typed, survive config.json, and what is impossible is refused by name."""
        packing.parameters(self.subject(), self.impossible)

    @check(after=("test_registered", "test_parameters"))
    def test_loads(self) -> None:
        """A float checkpoint is packed while it loads: by name, and by a quantization_config."""
        packing.loads(self.subject())

    @check(after=_RUNS)
    def test_error(self) -> None:
        """Logits stay near those of the float model."""
        packing.error(self.subject(), self.error)

    @check(after=_RUNS)
    def test_size(self) -> None:
        """Packed layers take the bits that the scheme declares, and little more."""
        packing.size(self.subject(), self.spare_bits)

    @check(after=_RUNS)
    def test_determinism(self) -> None:
        """Packing the same checkpoint twice gives the same bits."""
        packing.determinism(self.subject())

    @check(after=_RUNS)
    def test_layer_names(self) -> None:
        """Layers keep their names and sizes, so that adapters and plans find them."""
        keeping.names(self.subject())

    @check(after=_RUNS)
    def test_untouched(self) -> None:
        """What is not packed keeps its bits."""
        keeping.untouched(self.subject())

    @check(after=(*_RUNS, "test_size"))
    def test_round_trip(self) -> None:
        """Saved packed and loaded again: the same scheme, the same bits, the same logits."""
        keeping.round_trip(self.subject())

    @check(after=_RUNS)
    def test_generate(self) -> None:
        """Rows of a batch say what they say alone."""
        generating.rows_say_the_same_alone(self.subject().packed_model)

    @check(after=(*_RUNS, "test_error"))
    def test_bfloat16(self) -> None:
        """A packed model computes in bfloat16 too."""
        packing.bfloat16(self.subject(), self.error)
