"""from_pretrained: what fits is mapped, what does not is listed, and nothing is left without values."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kernel_toys import (
    CompositeConfig,
    CompositeModel,
    LegacyConfig,
    LegacyForCausalLM,
    LegacyModel,
    NoteConfig,
    NoteForCausalLM,
    NoteForSequenceClassification,
    NoteModel,
)
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelry import AutoModel, AutoModelForCausalLM
from modelry.errors import CheckpointError, ConfigError, ModelryWarning, NotFound, UnsafeCheckpoint
from modelry.model import PreTrainedModel

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def model() -> NoteForCausalLM:
    """Random weights."""
    torch.manual_seed(0)
    return NoteForCausalLM.from_config(NoteConfig())


@pytest.fixture
def folder(tmp_path: Path, model: NoteForCausalLM) -> Path:
    """Where it is saved."""
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def edit(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    """Change the tensors of a saved model."""
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return list(ours) == list(theirs) and all(ours[name].equal(theirs[name]) for name in ours)


def test_a_model_comes_back_bit_by_bit(model: NoteForCausalLM, folder: Path) -> None:
    again = NoteForCausalLM.from_pretrained(folder)
    assert same(model, again)
    assert not again.training
    assert again.model.angles.equal(model.model.angles)
    assert again.lm_head.weight is again.model.embed_tokens.weight
    ids = torch.tensor([[1, 2, 3]])
    assert again(ids).equal(model(ids))
    assert again.config.dtype == "float32"
    assert all(parameter.requires_grad for parameter in again.parameters())


def test_tensors_are_mapped_not_copied(folder: Path) -> None:
    again = NoteForCausalLM.from_pretrained(folder)
    pointers = sorted(parameter.data_ptr() for parameter in again.parameters())
    size = (folder / "model.safetensors").stat().st_size
    assert pointers[-1] - pointers[0] < size, "all lie in the one mapping of the file"


def test_saving_over_the_file_a_model_is_mapped_from(folder: Path) -> None:
    again = NoteForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        again.model.norm.weight.add_(1)
    again.save_pretrained(folder)
    assert same(again, NoteForCausalLM.from_pretrained(folder))


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16, "torch.bfloat16"])
def test_dtype(folder: Path, dtype: Any) -> None:
    again = NoteForCausalLM.from_pretrained(folder, dtype=dtype)
    assert {parameter.dtype for parameter in again.parameters()} == {torch.bfloat16}
    assert again.model.angles.dtype == torch.float32, "computed buffers keep theirs"
    assert again.config.dtype == "bfloat16"


def test_auto_keeps_the_stored_dtype_and_evens_out_a_mixture(folder: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        for name in tensors:
            tensors[name] = tensors[name].to(torch.float32 if "norm" in name else torch.float16)

    edit(folder, change)
    assert {parameter.dtype for parameter in NoteForCausalLM.from_pretrained(folder).parameters()} == {torch.float16}
    NoteForCausalLM.keep_in_float32 = ("norm.weight",)
    try:
        kept = NoteForCausalLM.from_pretrained(folder)
    finally:
        NoteForCausalLM.keep_in_float32 = ()
    assert kept.model.norm.weight.dtype == torch.float32
    assert kept.model.norm.bias.dtype == torch.float16


def test_a_dtype_that_does_not_exist(folder: Path) -> None:
    with pytest.raises(ConfigError, match="'float99' is no dtype"):
        NoteForCausalLM.from_pretrained(folder, dtype="float99")


@pytest.mark.parametrize("dtype", ["int8", torch.int32, "bool", "complex64"])
def test_weights_are_not_cast_to_whole_numbers(folder: Path, dtype: Any) -> None:
    with pytest.raises(ConfigError, match="cannot hold a model's weights; give a floating one"):
        NoteForCausalLM.from_pretrained(folder, dtype=dtype)


def test_a_configuration_is_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match="config is a str; a ModelConfig is needed"):
        AutoModel.from_pretrained(folder, config=str(folder))


def test_both_of_two_tied_tensors(model: NoteForCausalLM, folder: Path, tmp_path: Path) -> None:
    edit(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}))
    assert same(model, NoteForCausalLM.from_pretrained(folder))

    edit(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["lm_head.weight"] + 1}))
    with pytest.warns(ModelryWarning, match=r"keeps lm_head\.weight with values of its own: not tied"):
        apart = NoteForCausalLM.from_pretrained(folder)
    assert apart.lm_head.weight.equal(model.lm_head.weight + 1)
    assert apart.model.embed_tokens.weight.equal(model.model.embed_tokens.weight)
    assert not apart.config.tie_word_embeddings
    apart.save_pretrained(tmp_path / "apart")
    assert same(apart, NoteForCausalLM.from_pretrained(tmp_path / "apart"))


def test_names_of_a_file_are_safe_to_print(folder: Path) -> None:
    edit(folder, lambda tensors: tensors.update({"\x1b[31mred": torch.zeros(1), "y" * 1000: torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"'\\x1b\[31mred', y{200}\.\.\.$"):
        NoteForCausalLM.from_pretrained(folder)


def test_an_index_that_is_no_json(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, max_shard_size=200)
    (tmp_path / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"index\.json is not valid JSON"):
        NoteForCausalLM.from_pretrained(tmp_path)


def test_habits_of_other_libraries(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"dtype is 'float16', and torch_dtype, another name of it, torch.float32"):
        NoteForCausalLM.from_pretrained(folder, dtype="float16", torch_dtype=torch.float32)
    with pytest.raises(ConfigError, match=r"quantization is 'toy8', and quantization_config, another name of it, {"):
        NoteForCausalLM.from_pretrained(folder, quantization="toy8", quantization_config={"quant_method": "toy4"})
    loaded = NoteForCausalLM.from_pretrained(folder, dtype="bfloat16", torch_dtype=torch.bfloat16)
    assert loaded.dtype == torch.bfloat16
    loaded = NoteForCausalLM.from_pretrained(folder, torch_dtype="bfloat16", low_cpu_mem_usage=True)
    assert loaded.dtype == torch.bfloat16
    with pytest.warns(ModelryWarning, match="trust_remote_code has no effect"):
        AutoModel.from_pretrained(folder, trust_remote_code=True)
    with pytest.raises(TypeError, match="dvice_map"):
        NoteForCausalLM.from_pretrained(folder, dvice_map="cpu")


# Base models and heads


def test_a_heads_checkpoint_into_the_base_model(model: NoteForCausalLM, folder: Path) -> None:
    assert same(NoteModel.from_pretrained(folder), model.model)


def test_a_base_checkpoint_into_a_head(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.model.save_pretrained(tmp_path)
    assert same(NoteForCausalLM.from_pretrained(tmp_path), model), "a tied head needs nothing new"
    with pytest.warns(ModelryWarning, match=r"has no score\.bias, score\.weight: made anew") as caught:
        classifier = NoteForSequenceClassification.from_pretrained(tmp_path, num_labels=3)
    assert len(caught) == 1
    assert same(classifier.model, model.model)
    assert classifier.score.weight.std() > 0
    assert classifier.score.bias.equal(torch.zeros(3))


def test_one_heads_checkpoint_into_another(tmp_path: Path) -> None:
    model = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=False))
    model.save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match=r"score.*made anew.*lm_head\.weight is not used"):
        classifier = NoteForSequenceClassification.from_pretrained(tmp_path)
    assert same(classifier.model, model.model)


def test_another_number_of_labels(tmp_path: Path) -> None:
    NoteForSequenceClassification.from_config(NoteConfig(num_labels=2)).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"score\.weight: \(2, 8\) in the checkpoint, \(5, 8\) in the model"):
        NoteForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    with pytest.warns(ModelryWarning, match="score"):
        wider = NoteForSequenceClassification.from_pretrained(tmp_path, num_labels=5, ignore_mismatched_sizes=True)
    assert wider.score.weight.shape == (5, 8)


def test_either_of_two_tied_tensors_is_enough(model: NoteForCausalLM, folder: Path) -> None:
    edit(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}))
    assert same(NoteForCausalLM.from_pretrained(folder), model)
    edit(folder, lambda tensors: tensors.pop("model.embed_tokens.weight"))
    assert same(NoteForCausalLM.from_pretrained(folder), model)


# Layouts


@pytest.mark.parametrize("head", [LegacyModel, LegacyForCausalLM])
def test_a_published_layout_of_its_own(tmp_path: Path, head: type[PreTrainedModel]) -> None:
    model = head.from_config(LegacyConfig())
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    prefix = "body." if head is LegacyForCausalLM else ""
    stored = load_file(tmp_path / "model.safetensors")
    assert stored[f"{prefix}h.1.attn.weight"].shape == (8, 8)
    assert f"{prefix}h.0.expert.2.w" in stored
    edit(tmp_path, lambda tensors: tensors.update({f"{prefix}h.0.attn.masked_bias": torch.zeros(1)}))
    assert same(head.from_pretrained(tmp_path), model)
    base = LegacyModel.from_pretrained(tmp_path)
    assert same(base, model.base_model)
    assert same(LegacyModel.from_pretrained(tmp_path), base)


def test_a_base_checkpoint_of_such_a_layout_into_a_head(tmp_path: Path) -> None:
    model = LegacyModel.from_config(LegacyConfig())
    model.save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="lm_head"):
        assert same(LegacyForCausalLM.from_pretrained(tmp_path).body, model)


def test_a_composite_model(tmp_path: Path) -> None:
    model = CompositeModel.from_config(CompositeConfig(text_config=LegacyConfig()))
    model.save_pretrained(tmp_path)
    assert "language_model.wte.weight" in load_file(tmp_path / "model.safetensors")
    again = AutoModel.from_pretrained(tmp_path)
    assert isinstance(again, CompositeModel)
    assert same(again, model)


def test_computed_tensors_in_old_checkpoints_are_no_error(model: NoteForCausalLM, folder: Path) -> None:
    old = {"model.angles": torch.zeros(8), "model.layers.0.rotary_emb.inv_freq": torch.zeros(4)}
    edit(folder, lambda tensors: tensors.update(old))
    again = NoteForCausalLM.from_pretrained(folder)
    assert again.model.angles.equal(model.model.angles)


# What does not fit


def test_everything_wrong_is_in_one_error(folder: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        del tensors["model.norm.weight"]
        tensors["model.extra.weight"] = torch.zeros(1)
        tensors["model.layers.0.dense.weight"] = torch.zeros(3, 4)
        tensors["model.layers.1.dense.weight"] = torch.zeros(8, 8, dtype=torch.int8)

    edit(folder, change)
    with pytest.raises(CheckpointError) as caught:
        NoteForCausalLM.from_pretrained(folder)
    message = str(caught.value)
    assert "1 tensors are missing: model.norm.weight" in message
    assert "1 tensors are not in the model: model.extra.weight" in message
    assert "model.layers.0.dense.weight: (3, 4) in the checkpoint, (8, 8) in the model" in message
    assert "model.layers.1.dense.weight: int8 in the checkpoint, float32 in the model" in message


def test_extra_tensors_of_a_head_are_an_error_where_no_head_is_new(folder: Path) -> None:
    edit(folder, lambda tensors: tensors.update({"other.weight": torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"not in the model: other\.weight"):
        NoteForCausalLM.from_pretrained(folder)


def test_a_long_list_is_shortened(tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    edit(tmp_path, lambda tensors: tensors.update({f"model.x{i}": torch.zeros(1) for i in range(50)}))
    with pytest.raises(CheckpointError, match=r"50 tensors are not in the model: .* and 30 more"):
        NoteForCausalLM.from_pretrained(tmp_path)


def test_another_family_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="model_type is 'note'"):
        LegacyModel.from_pretrained(folder)


def test_a_buffer_on_the_meta_device_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = NoteModel.__init__

    def careless(self: NoteModel, config: NoteConfig) -> None:
        before(self, config)
        self.register_buffer("lost", torch.zeros(1), persistent=False)

    monkeypatch.setattr(NoteModel, "__init__", careless)
    with pytest.raises(CheckpointError, match=r'no values for model\.lost: .*device="cpu"'):
        NoteForCausalLM.from_pretrained(folder)


# Files


def test_folders_without_weights(tmp_path: Path) -> None:
    NoteConfig().save_pretrained(tmp_path)
    with pytest.raises(NotFound, match=r"holds no weights: neither model\.safetensors"):
        NoteModel.from_pretrained(tmp_path)
    (tmp_path / "x.gguf").touch()
    with pytest.raises(NotFound, match=r"to load x\.gguf, give its path"):
        NoteModel.from_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(NotFound, match=r"holds no config\.json"):
        NoteModel.from_pretrained(tmp_path)


def test_only_pickled_files(tmp_path: Path) -> None:
    NoteConfig().save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(UnsafeCheckpoint, match=r"pytorch_model\.bin.*can run any code.*save_file"):
        NoteModel.from_pretrained(tmp_path)
    with pytest.raises(UnsafeCheckpoint, match="is a pickled file"):
        NoteModel.from_pretrained(tmp_path / "pytorch_model.bin")


def test_a_safetensors_file_itself(model: NoteForCausalLM, folder: Path) -> None:
    assert same(NoteForCausalLM.from_pretrained(folder / "model.safetensors"), model)
    assert same(NoteForCausalLM.from_pretrained(folder / "config.json"), model)


def test_truncated_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="truncated"):
        NoteForCausalLM.from_pretrained(folder)


def test_shards(model: NoteForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, max_shard_size=600)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    assert same(NoteForCausalLM.from_pretrained(tmp_path), model)
    index = tmp_path / "model.safetensors.index.json"
    values = json.loads(index.read_text())
    places = values["weight_map"]
    first = min(places.values())

    def write(**changed: str) -> None:
        index.write_text(json.dumps({**values, "weight_map": {**places, **changed}}))

    for escape in ("../model.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors", "C:x.safetensors"):
        write(**{"model.norm.weight": escape})
        with pytest.raises(UnsafeCheckpoint, match="not a file of its own folder"):
            NoteForCausalLM.from_pretrained(tmp_path)
    write(**{"model.norm.weight": "pytorch_model.bin"})
    with pytest.raises(UnsafeCheckpoint, match="no safetensors file"):
        NoteForCausalLM.from_pretrained(tmp_path)
    write(**{"model.absent.weight": first})
    with pytest.raises(CheckpointError, match=r"lacks tensors that .* says it has: model\.absent\.weight"):
        NoteForCausalLM.from_pretrained(tmp_path)
    index.write_text('{"weight_map": [1]}')
    with pytest.raises(CheckpointError, match="has no weight_map"):
        NoteForCausalLM.from_pretrained(tmp_path)
    write()
    (tmp_path / first).unlink()
    with pytest.raises(CheckpointError, match=f"lacks 1 of .*: {first}"):
        NoteForCausalLM.from_pretrained(tmp_path)


def test_a_format_that_carries_everything(tmp_path: Path, model: NoteForCausalLM) -> None:
    path = tmp_path / "small.box"
    tensors = {name: tensor.tolist() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    path.write_text(json.dumps({"config": model.config.to_dict(), "tensors": tensors}))
    for loaded in (
        AutoModelForCausalLM.from_pretrained(path),
        AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="small.box"),
    ):
        assert same(loaded, model)
        assert loaded.generation_config.max_new_tokens == 7


def test_nothing_is_warned_about_in_an_ordinary_load(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AutoModelForCausalLM.from_pretrained(folder)
        AutoModel.from_pretrained(folder)


def test_sizes_that_cannot_be_built(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 10**7, "vocab_size": 10**9}))
    with pytest.raises((ConfigError, CheckpointError), match=r"cannot be built|of another shape"):
        NoteForCausalLM.from_pretrained(folder)
