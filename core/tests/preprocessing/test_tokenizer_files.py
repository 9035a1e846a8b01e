"""The files of a tokenizer are read with suspicion, and written so that others read the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from modelry.errors import NotFound, PreprocessorError
from modelry.preprocessing.tokenizer import Tokenizer
from modelry.preprocessing.tokenizer_files import TokenizerFiles


def test_a_number_of_too_many_digits() -> None:
    files = TokenizerFiles({"tokenizer_config.json": f'{{"x": {"9" * 5000}}}'}, "somewhere")
    with pytest.raises(PreprocessorError, match=r"somewhere/tokenizer_config\.json is not valid JSON: Exceeds"):
        files.json("tokenizer_config.json")


def test_files_in_memory(published: Any) -> None:
    folder = published("llama3")
    files: dict[str, Any] = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    files["chat_template.jinja"] = b"from bytes"
    tokenizer = Tokenizer.from_files(files, where="model.gguf", model_max_length=7)
    assert tokenizer("the cat") == Tokenizer.from_pretrained(folder)("the cat")
    assert tokenizer.chat_template == "from bytes"
    assert tokenizer.model_max_length == 7
    assert tokenizer.name_or_path == "model.gguf"


def test_one_file_is_a_reference(published: Any) -> None:
    tokenizer = Tokenizer.from_pretrained(published("gpt2") / "tokenizer.json")
    assert tokenizer.encode("the cat") == Tokenizer.from_pretrained(published("gpt2")).encode("the cat")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", "{", r"tokenizer.json is not a tokenizer, or it is damaged: EOF"),
        ("tokenizer.json", "{}", "tokenizer.json is not a tokenizer"),
        ("tokenizer.json", "null", "tokenizer.json is not a tokenizer"),
        ("tokenizer.json", b"\xff\xfe", "tokenizer.json is not UTF-8 text: byte 0"),
        ("tokenizer_config.json", "{", r"tokenizer_config.json is not valid JSON"),
        ("tokenizer_config.json", "[" * 100_000, r"tokenizer_config.json is not valid JSON"),
        ("tokenizer_config.json", "[1]", "tokenizer_config.json holds a list; a JSON object"),
        ("tokenizer_config.json", '{"eos_token": 3}', "eos_token is 3; a token is a string"),
        ("tokenizer_config.json", '{"eos_token": {"text": "x"}}', "eos_token is .*; a token is"),
        ("tokenizer_config.json", '{"padding_side": "middle"}', "padding_side is 'middle'"),
        ("tokenizer_config.json", '{"model_max_length": "long"}', "model_max_length is 'long'"),
        ("tokenizer_config.json", '{"model_input_names": "ids"}', "model_input_names is 'ids'"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {}}}', "added_tokens_decoder must map ids"),
        ("tokenizer_config.json", '{"tokenizer_class": 3}', "tokenizer_class is 3; a name"),
        ("special_tokens_map.json", "{", r"special_tokens_map.json is not valid JSON"),
    ],
)
def test_damaged_files(published: Any, tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    (tmp_path / "tokenizer.json").write_bytes((published("gpt2") / "tokenizer.json").read_bytes())
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(PreprocessorError, match=message) as caught:
        Tokenizer.from_pretrained(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_truncated_tokenizer_json(published: Any) -> None:
    whole = (published("unigram") / "tokenizer.json").read_text(encoding="utf-8")
    for size in range(0, len(whole), len(whole) // 40):
        with pytest.raises(PreprocessorError, match="is not a tokenizer, or it is damaged"):
            Tokenizer.from_files({"tokenizer.json": whole[:size]})


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"holds no tokenizer: looked for tokenizer.json, vocab.txt"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(NotFound):
        Tokenizer.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(PreprocessorError, match=r"holds no vocabulary, only tokenizer_config.json"):
        Tokenizer.from_files({"tokenizer_config.json": "{}"})


def test_tokens_from_the_configuration(published: Any) -> None:
    added = {
        "700": {"content": "<late>", "special": True},
        "601": {"content": "<early>", "lstrip": True, "special": False},
    }
    tokenizer = Tokenizer.from_pretrained(published("gpt2"), added_tokens_decoder=added)
    early, late = tokenizer.convert_tokens_to_ids(["<early>", "<late>"])
    assert late == early + 1
    assert tokenizer.added_tokens_decoder[early].lstrip
    assert tokenizer.added_tokens_decoder[late].special


def test_unknown_keys_survive_the_round_trip(published: Any, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_pretrained(
        published("gpt2"), some_key={"a": [1]}, mask_token=AddedToken("<m>", lstrip=True)
    )
    tokenizer.padding_side = "left"
    written = tokenizer.save_pretrained(tmp_path)
    assert sorted(Path(path).name for path in written) == [
        "chat_template.jinja",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["some_key"] == {"a": [1]}
    assert config["padding_side"] == "left"
    assert "chat_template" not in config
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.added_tokens_decoder[again.mask_token_id].lstrip


def test_saved_files_are_clean(gpt2: Tokenizer, tmp_path: Path) -> None:
    """The padding of the last call is no part of a tokenizer."""
    gpt2(["a", "b c"], padding=True, truncation=True, max_length=5)
    gpt2.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved["padding"] is None
    assert saved["truncation"] is None


def test_settings_change_a_tokenizer_json(minilm: Path, published: Any) -> None:
    cased = Tokenizer.from_pretrained(minilm, do_lower_case=False)
    assert cased.tokenize("Hello") != Tokenizer.from_pretrained(minilm).tokenize("Hello")
    prefixed = Tokenizer.from_pretrained(published("gpt2"), add_prefix_space=True)
    assert prefixed.tokenize("the")[0] == "Ġthe"


def test_push_and_load(gpt2: Tokenizer, hub: Any) -> None:
    gpt2.push_to_hub("me/small", token="hf_test")
    again = Tokenizer.from_pretrained("me/small", token="hf_test")
    assert again("the cat") == gpt2("the cat")
    assert again.chat_template == gpt2.chat_template


@pytest.mark.parametrize(
    ("config", "names", "end"),
    [
        ({"model_type": "bert"}, ["input_ids", "token_type_ids", "attention_mask"], None),
        ({"model_type": "gpt2"}, ["input_ids", "attention_mask"], "<|endoftext|>"),
        ({"model_type": "x", "tokenizer_class": "GPT2Tokenizer"}, ["input_ids", "attention_mask"], "<|endoftext|>"),
        ({"model_type": "nothing-known"}, ["input_ids", "attention_mask"], None),
    ],
)
def test_the_model_says_what_the_files_do_not(
    published: Any, tmp_path: Path, config: dict[str, str], names: list[str], end: str | None
) -> None:
    """bert-base-uncased and gpt2 are published with a tokenizer_config.json that names no class."""
    (tmp_path / "tokenizer.json").write_bytes((published("gpt2") / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 512}', encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    assert (tokenizer.model_input_names, tokenizer.eos_token) == (names, end)
