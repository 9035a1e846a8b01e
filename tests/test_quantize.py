"""`modelry quantize` with real schemes: OUT is what `quantization=` makes while loading, sizes and errors are true."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from modelry import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from modelry.cli.quantize import quantize

SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "tie_word_embeddings": True,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama with a tokenizer of words, a chat template and generation settings."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    path = tmp_path / "float"
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SIZES))
    model.generation_config.max_new_tokens = 7
    model.save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "?", "chat_template": "{{ messages }}"}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(quantize, [str(word) for word in words])


@pytest.mark.parametrize(("scheme", "words"), [("int8", ()), ("int4", ("--group-size", "32"))])
def test_the_same_as_on_the_fly(folder: Path, tmp_path: Path, scheme: str, words: tuple[str, ...]) -> None:
    done = call(folder, "--scheme", scheme, *words, tmp_path / "packed", "--json")
    assert done.exit_code == 0, done.output
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    theirs = AutoModelForCausalLM.from_pretrained(folder, quantization=scheme)
    assert ours.config.quantization_config == theirs.config.quantization_config
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(tensor.equal(theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())
    assert ours.generation_config.max_new_tokens == 7
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "packed")
    assert tokenizer("b a")["input_ids"] == [1, 0]
    assert tokenizer.chat_template == "{{ messages }}"

    values = json.loads(done.stdout)
    plain = AutoModelForCausalLM.from_pretrained(folder)
    for row in values["groups"]:
        names = [row["layers"].replace("*", str(number)) for number in range(row["count"])]
        packed = torch.stack([ours.get_submodule(name).dequantized() for name in names])
        weight = torch.stack([plain.get_submodule(name).weight.detach() for name in names])
        assert row["relative_error"] == pytest.approx(float((packed - weight).norm() / weight.norm()), rel=1e-3)
        assert row["bytes_before"] == weight.nbytes
    assert 0 < values["total"]["relative_error"] < {"int8": 0.01, "int4": 0.1}[scheme]
    file = (tmp_path / "packed" / "model.safetensors").stat().st_size
    assert values["total"]["bytes_after"] == pytest.approx(file, rel=0.1)
    assert not list(tmp_path.glob(".packed*"))


def test_what_makes_vectors_of_texts_goes_along(folder: Path, tmp_path: Path) -> None:
    """Without it, a sentence encoder would pool as it does by default."""
    said = {
        "modules.json": '[{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Normalize"}]',
        "sentence_bert_config.json": '{"max_seq_length": 5}',
        "1_Pooling/config.json": '{"pooling_mode_cls_token": true}',
    }
    (folder / "1_Pooling").mkdir()
    for name, text in said.items():
        (folder / name).write_text(text)
    assert call(folder, "--scheme", "int8", tmp_path / "packed").exit_code == 0
    assert all((tmp_path / "packed" / name).read_text() == text for name, text in said.items())
    (folder / "modules.json").write_text("[{")
    done = call(folder, "--scheme", "int8", tmp_path / "other")
    assert (done.exit_code, "modules.json is no JSON" in done.stderr) == (1, True)
    assert not (tmp_path / "other").exists()


def test_what_is_packed_is_refused_early(folder: Path, tmp_path: Path) -> None:
    assert call(folder, "--scheme", "int8", tmp_path / "packed").exit_code == 0
    for scheme in ("int4", "int8"):
        done = call(tmp_path / "packed", "--scheme", scheme, tmp_path / "again")
        assert done.exit_code == 1
        assert "is int8 already: name the checkpoint that it was made of" in done.stderr
    assert not (tmp_path / "again").exists()


def test_groups_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    done = call(folder, "--scheme", "int4", "--group-size", "48", tmp_path / "out")
    assert (done.exit_code, "group_size is 48" in done.stderr) == (1, True)
    done = call(folder, "--scheme", "int4", "--group-size", "256", tmp_path / "out")
    assert (done.exit_code, "divides the inputs of no layer" in done.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.models
def test_a_gguf_file(smollm2: Path, tmp_path: Path) -> None:
    done = call(smollm2, "--scheme", "int8", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["total"]["relative_error"] < 0.01
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}], add_generation_prompt=True, return_tensors="pt"
    )
    ids = ids if isinstance(ids, torch.Tensor) else ids["input_ids"]
    answer = model.generate(ids, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0, ids.shape[1] :])
