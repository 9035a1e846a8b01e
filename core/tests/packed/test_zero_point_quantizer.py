"""Which layers are packed: those that a file has packed, or of a float model all that fit."""

from collections.abc import Callable

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM
from pydantic import BaseModel

from modelry.checkpoint.reader import TensorInfo
from modelry.errors import ModelryWarning, QuantizationError
from modelry.packed.file_form import FileForm
from modelry.packed.zero_point_linear import ZeroPointLinear
from modelry.packed.zero_point_quantizer import ZeroPointQuantizer

pytestmark = pytest.mark.usefixtures("registry")
LAYER = "model.layers.1.dense"
FILE = {
    f"{LAYER}.qweight": TensorInfo("uint8", (64, 64)),
    f"{LAYER}.qzeros": TensorInfo("uint8", (2, 64)),
    f"{LAYER}.scales": TensorInfo("bfloat16", (2, 64)),
    f"{LAYER}.g_idx": TensorInfo("int32", (64,)),
}


class NoParameters(BaseModel):
    """None that matter here."""


class Stored:
    """A checkpoint of which nobody reads a tensor."""

    def __init__(self, infos: dict[str, TensorInfo]) -> None:
        self.names, self.info = infos.keys, infos.__getitem__


@pytest.fixture
def scheme(plain_form: Callable[[int], FileForm]) -> Callable[..., ZeroPointQuantizer]:
    class Plain(ZeroPointQuantizer):
        method = "plain"
        group_size, symmetric, keep = 32, False, None

        def form(self) -> FileForm:
            return plain_form(4)

    def begun(infos: dict[str, TensorInfo], *, symmetric: bool = False) -> ZeroPointQuantizer:
        made = Plain(NoParameters())
        made.symmetric = symmetric
        made.begin(Stored(infos), torch.float32)
        return made

    return begun


def model(*, packed: bool, width: int = 64) -> NoteForCausalLM:
    said = {"quant_method": "plain"} if packed else None
    return NoteForCausalLM.from_config(NoteConfig(hidden_size=width, quantization_config=said))


def replaced(one: NoteForCausalLM) -> list[str]:
    return [name for name, part in one.named_modules() if isinstance(part, ZeroPointLinear)]


def test_what_the_file_has_packed(scheme: Callable) -> None:
    one, plain = model(packed=True), scheme(FILE)
    plain.check(one)
    plain.swap(one)
    assert replaced(one) == [LAYER]
    assert {name.rpartition(".")[2] for name in one.state_dict() if name.startswith(LAYER)} == {
        "qweight", "qzeros", "scales", "g_idx", "bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("part", "info", "said"),
    [
        ("scales", None, "has a qweight and no scales"),
        ("qzeros", None, "has a qweight and no qzeros"),
        ("qweight", TensorInfo("uint8", (64, 32)), r"qweight is \(64, 32\) .*bits 4 and group_size 32.*\(64, 64\)"),
        ("qweight", TensorInfo("int32", (64, 64)), "qweight is int32 in the checkpoint, and not uint8"),
    ],
)
def test_a_file_that_lies(scheme: Callable, part: str, info: TensorInfo | None, said: str) -> None:
    infos = {name: one for name, one in FILE.items() if not name.endswith(part)}
    if info is not None:
        infos[f"{LAYER}.{part}"] = info
    with pytest.raises(QuantizationError, match=said):
        scheme(infos).check(model(packed=True))


def test_what_a_file_may_lack(scheme: Callable) -> None:
    infos = {name: one for name, one in FILE.items() if not name.endswith(("g_idx", "qzeros"))}
    one, plain = model(packed=True), scheme(infos, symmetric=True)
    plain.check(one)
    plain.swap(one)
    assert f"{LAYER}.qzeros" not in one.state_dict()


def test_a_file_and_a_configuration_that_contradict(scheme: Callable) -> None:
    with pytest.raises(QuantizationError, match=r"packed already \(model\.layers\.1\.dense\.qweight\)"):
        scheme(FILE).check(model(packed=False))
    with pytest.raises(QuantizationError, match="says quant_method plain, and no layer of NoteForCausalLM"):
        scheme({}).check(model(packed=True))


def test_a_float_model(scheme: Callable) -> None:
    one, plain = model(packed=False), scheme({})
    plain.check(one)
    weight = one.get_parameter(f"{LAYER}.weight").detach()
    plain.swap(one)
    assert len(replaced(one)) == 2
    assert plain.pack(f"{LAYER}.bias", weight) is None
    parts = plain.pack(f"{LAYER}.weight", weight)
    layer = one.get_submodule(LAYER)
    layer.load_state_dict({**{name.rpartition(".")[2]: part for name, part in parts.items()}, "bias": weight[0]})
    assert (layer.dequantized() - weight).norm() / weight.norm() < 0.1


def test_a_float_model_that_does_not_fit(scheme: Callable) -> None:
    with pytest.raises(QuantizationError, match=r"no layer can be packed: 80 inputs are no multiple of group_size 32"):
        scheme({}).check(model(packed=False, width=80))
    one = model(packed=False)
    one.model.layers[0].dense = torch.nn.Linear(80, 64)
    with pytest.warns(ModelryWarning, match=r"plain: layers .* stay as they are: model\.layers\.\*\.dense"):
        scheme({}).swap(one)
    assert replaced(one) == [LAYER]
