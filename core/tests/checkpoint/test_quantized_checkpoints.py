"""A quantizer packs tensors as they stream in; what is packed is saved and loaded bit by bit."""

import json
from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM, PackedLinear, ToyParameters, ToyQuantizer
from safetensors.torch import load_file, save_file
from torch import nn

from modelry import AutoModelForCausalLM
from modelry.checkpoint.safetensors_file import SafetensorsReader
from modelry.checkpoint.weight_table import Rename, WeightTable
from modelry.errors import CheckpointError, ConfigError, ModelryWarning, QuantizationError, UnknownName
from modelry.quantization import build_quantizer

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A float model."""
    torch.manual_seed(0)
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path / "float")
    return tmp_path / "float"


@pytest.mark.parametrize("quantization", ["toy8", {"quant_method": "toy8"}, ToyQuantizer(ToyParameters())])
def test_quantizing_while_loading(folder: Path, quantization: object) -> None:
    plain = AutoModelForCausalLM.from_pretrained(folder)
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization=quantization)
    assert sum(isinstance(part, PackedLinear) for part in packed.modules()) == 3
    assert isinstance(packed.lm_head, PackedLinear), "a tied head is packed from the tensor it shares"
    assert isinstance(packed.get_input_embeddings(), nn.Embedding)
    ids = torch.tensor([[1, 2, 3]])
    assert torch.allclose(plain(ids), packed(ids), atol=0.02)


class RenamedForCausalLM(NoteForCausalLM):
    """Whose embedding has another name in files."""

    weight_table = WeightTable(Rename("wte.weight", "model.embed_tokens.weight"))


def test_a_tied_head_of_an_embedding_that_files_call_otherwise(tmp_path: Path) -> None:
    plain = RenamedForCausalLM.from_config(NoteConfig()).eval()
    plain.save_pretrained(tmp_path)
    packed = RenamedForCausalLM.from_pretrained(tmp_path, quantization="toy8")
    assert isinstance(packed.lm_head, PackedLinear)
    ids = torch.tensor([[1, 2, 3]])
    assert torch.allclose(plain(ids), packed(ids), atol=0.02)
    packed.save_pretrained(tmp_path)
    assert RenamedForCausalLM.from_pretrained(tmp_path)(ids).equal(packed(ids))


def test_two_of_one_that_files_call_otherwise(tmp_path: Path) -> None:
    RenamedForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    stored["lm_head.weight"] = stored["wte.weight"] * 2
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.warns(ModelryWarning, match=r"keeps lm_head\.weight with values of its own: not tied"):
        model = RenamedForCausalLM.from_pretrained(tmp_path)
    assert model.lm_head.weight.equal(stored["lm_head.weight"])
    assert model.model.embed_tokens.weight.equal(stored["wte.weight"])


class TwoHeads(RenamedForCausalLM):
    """Another tied one."""

    tied_weights = dict.fromkeys(("lm_head.weight", "other.weight"), "model.embed_tokens.weight")

    def __init__(self, config: NoteConfig) -> None:
        super().__init__(config)
        self.other = nn.Linear(config.hidden_size, config.vocab_size, bias=False)


def test_one_of_three_apart(tmp_path: Path) -> None:
    """The third, which is not stored, would be made anew."""
    TwoHeads.from_config(NoteConfig()).save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    save_file({**stored, "lm_head.weight": stored["wte.weight"] * 2}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"keeps lm_head\.weight with values of its own, but no other\.weight"):
        TwoHeads.from_pretrained(tmp_path)


def test_packed_models_are_saved_and_loaded_bit_by_bit(folder: Path, tmp_path: Path) -> None:
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization={"quant_method": "toy8", "levels": 63})
    packed.save_pretrained(tmp_path / "packed")
    config = json.loads((tmp_path / "packed" / "config.json").read_text())
    assert config["quantization_config"] == {"quant_method": "toy8", "levels": 63}
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert stored["lm_head.values"].dtype == torch.int8
    assert "model.layers.0.dense.weight" not in stored
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    ours, theirs = packed.state_dict(), again.state_dict()
    assert list(ours) == list(theirs)
    assert all(ours[name].equal(theirs[name]) for name in ours)
    narrow = AutoModelForCausalLM.from_pretrained(tmp_path / "packed", dtype="bfloat16")
    assert narrow.lm_head.scale.dtype == torch.float32, "packed tensors keep their bits in any dtype"
    assert narrow.model.embed_tokens.weight.dtype == torch.bfloat16
    float_again = NoteForCausalLM.from_config(NoteConfig())
    float_again.save_pretrained(tmp_path / "packed")
    assert "quantization_config" not in json.loads((tmp_path / "packed" / "config.json").read_text())


def test_a_packed_checkpoint_that_lies(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "toy8"}}))
    with pytest.raises(CheckpointError, match=r"missing: .*model\.layers\.0\.dense\.scale"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_naming_the_scheme_of_a_packed_checkpoint(folder: Path, tmp_path: Path) -> None:
    levels = {"quant_method": "toy8", "levels": 63}
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization=levels)
    packed.save_pretrained(tmp_path / "packed")
    for same in ("toy8", levels, ToyQuantizer(ToyParameters(levels=63))):
        again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization=same)
        assert again.config.quantization_config == levels
        assert all(again.state_dict()[name].equal(tensor) for name, tensor in packed.state_dict().items())
    with pytest.raises(QuantizationError, match="is toy8 already, with levels 63 and not 127: load it without"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization={**levels, "levels": 127})
    config = json.loads((tmp_path / "packed" / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "unseen"}
    (tmp_path / "packed" / "config.json").write_text(json.dumps(config))
    with pytest.raises(QuantizationError, match=r"config\.json is unseen already, not toy8: load it without quantizat"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization="toy8")


@pytest.mark.parametrize(
    ("quantization", "error", "message"),
    [
        ("toy9", UnknownName, "toy9"),
        ({}, QuantizationError, "names no quant_method"),
        ({"quant_method": 3}, QuantizationError, "names no quant_method"),
        ({"quant_method": "toy8", "levels": 0}, QuantizationError, "levels is 0"),
        ({"quant_method": "toy8", "colour": "red"}, QuantizationError, "colour"),
    ],
)
def test_wrong_quantizations(folder: Path, quantization: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        AutoModelForCausalLM.from_pretrained(folder, quantization=quantization)


def test_the_family_and_the_scheme_are_missed_in_one_error(tmp_path: Path) -> None:
    values = {"model_type": "unheard-of", "quantization_config": {"quant_method": "unseen"}}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(Exception, match=r"(?s)unheard-of.*unseen"):
        AutoModelForCausalLM.from_pretrained(tmp_path)


class Forgetful(ToyQuantizer):
    """Forgets the scale."""

    def pack(self, name, tensor):  # type: ignore[no-untyped-def]
        parts = dict(super().pack(name, tensor) or {})
        return {key: value for key, value in parts.items() if not key.endswith("scale")} or None


class Wide(ToyQuantizer):
    """Packs into another dtype than it said."""

    def pack(self, name, tensor):  # type: ignore[no-untyped-def]
        return {key: value.double() for key, value in (super().pack(name, tensor) or {}).items()} or None


class Idle(ToyQuantizer):
    """Replaces nothing."""

    def swap(self, model: nn.Module) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("scheme", "message"), [(Forgetful, "without values"), (Wide, "float64"), (Idle, "found nothing to quantize")]
)
def test_schemes_that_do_not_keep_their_word(folder: Path, scheme: type[ToyQuantizer], message: str) -> None:
    with pytest.raises(QuantizationError, match=message):
        AutoModelForCausalLM.from_pretrained(folder, quantization=scheme(ToyParameters()))


class Taking(ToyQuantizer):
    """Takes stored bytes itself, but for the head."""

    def begin(self, checkpoint, dtype):  # type: ignore[no-untyped-def]
        self.seen = set(checkpoint.names()), dtype

    def take(self, name, stored, checkpoint):  # type: ignore[no-untyped-def]
        assert stored in self.seen[0]
        if name.startswith("lm_head"):
            return None
        reader = checkpoint.reader(stored)
        assert isinstance(reader, SafetensorsReader)
        return super().pack(name, reader.read(stored).clone())


class TakingTooMuch(Taking):
    """Takes what the model has no room for."""

    def take(self, name, stored, checkpoint):  # type: ignore[no-untyped-def]
        return {f"{name}.more": checkpoint.reader(stored).read(stored)}


def test_a_scheme_that_reads_the_file_itself(folder: Path) -> None:
    taking = Taking(ToyParameters())
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=taking, dtype="bfloat16")
    assert taking.seen[1] == torch.bfloat16
    plain = AutoModelForCausalLM.from_pretrained(folder, quantization="toy8", dtype="bfloat16")
    ours, theirs = model.state_dict(), plain.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    with pytest.raises(QuantizationError, match="where the model has nothing"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=TakingTooMuch(ToyParameters()))


def test_a_quantizer_of_its_own_config() -> None:
    quantizer = ToyQuantizer(ToyParameters(levels=5))
    again = build_quantizer(quantizer.to_config(), where="here")
    assert again.parameters == quantizer.parameters
    assert again.to_config() == quantizer.to_config()


def test_a_packed_model_has_the_dtype_its_config_says(folder: Path, tmp_path: Path) -> None:
    """Scales are floating too, and may be most of what is."""
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization="toy8", dtype="bfloat16")
    packed.save_pretrained(tmp_path / "packed")
    config = json.loads((tmp_path / "packed" / "config.json").read_text())
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "packed").dtype == torch.bfloat16
    (tmp_path / "packed" / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "packed").dtype == torch.float16


def test_the_scheme_in_a_file_of_its_own(folder: Path, tmp_path: Path) -> None:
    """As older tools write it beside config.json."""
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization={"quant_method": "toy8", "levels": 63})
    packed.save_pretrained(tmp_path / "packed")
    config = json.loads((tmp_path / "packed" / "config.json").read_text())
    said = config.pop("quantization_config")
    (tmp_path / "packed" / "config.json").write_text(json.dumps(config))
    (tmp_path / "packed" / "quantize_config.json").write_text(json.dumps(said))
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    assert again.config.quantization_config == said
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(again(ids), packed(ids))
    (tmp_path / "packed" / "quantize_config.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"quantize_config\.json holds a list"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")


def test_an_error_names_the_argument_and_not_a_file_that_says_nothing(folder: Path) -> None:
    with pytest.raises(QuantizationError, match=r"^quantization=: quantization toy8: levels is 'many': "):
        AutoModelForCausalLM.from_pretrained(folder, quantization={"quant_method": "toy8", "levels": "many"})
    with pytest.raises(UnknownName, match=r"config\.json with quantization= asks for quantization method 'nope'"):
        AutoModelForCausalLM.from_pretrained(folder, quantization="nope")
