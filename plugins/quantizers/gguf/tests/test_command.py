"""`modelry gguf`: from a checkpoint to a file, and what goes wrong in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from modelry import AutoModelForCausalLM, AutoTokenizer
from modelry_gguf.command import gguf
from modelry_registry import get_registry, resolve


def test_a_file_is_written(
    tmp_path: Path, write_model: Callable[..., Any], byte_level_tokenizer: dict[str, Any]
) -> None:
    source, out = tmp_path / "float.gguf", tmp_path / "small.gguf"
    write_model(source, tokenizer=byte_level_tokenizer)
    assert resolve(get_registry().get("commands", "gguf").command) is gguf
    done = CliRunner().invoke(gguf, [str(source), str(out), "--type", "q8_0"])
    assert done.exit_code == 0, done.output
    assert "small.gguf" in done.output
    packed = AutoModelForCausalLM.from_pretrained(out, quantization="gguf")
    assert packed.config.quantization_config["weight_type"] == "Q8_0"
    assert AutoTokenizer.from_pretrained(out)("the fox")["input_ids"]
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(tmp_path / "folder")
    config = str(tmp_path / "folder/config.json")  # stands for its folder
    done = CliRunner().invoke(gguf, [config, str(out)])
    assert f"{tmp_path / 'folder'} holds no tokenizer" in done.output
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path / "folder")
    done = CliRunner().invoke(gguf, [config, str(out), "--type", "f16"])
    assert done.exit_code == 0, done.output


def test_failures_in_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(gguf, [str(tmp_path / "absent"), str(tmp_path / "out.gguf")])
    assert done.exit_code != 0
    assert "absent" in done.output
    assert "Traceback" not in done.output
    done = CliRunner().invoke(gguf, ["model", "out.gguf", "--type", "Q5_K"])
    assert done.exit_code == 2
    assert "Q5_K" in done.output
