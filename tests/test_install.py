"""Packages as their users get them: wheels in clean environments, outside the repository, in use and uninstalled."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

MAKE_MODEL = """
import sys, torch
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
torch.manual_seed(0)
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(sys.argv[1])
LlamaForCausalLM(LlamaConfig(
    vocab_size=256, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=None, eos_token_id=None,
)).save_pretrained(sys.argv[1])
"""
GENERATE = """
import sys, pathlib
from modelry import AutoModelForCausalLM, AutoTokenizer, pipeline
import modelry, modelry_registry
assert "site-packages" in modelry.__file__ and "site-packages" in modelry_registry.__file__
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
ids = model.generate(**tokenizer("Hello", return_tensors="pt"), max_new_tokens=8, do_sample=False)
text = tokenizer.decode(ids[0])
assert pipeline("text-generation", model=model, tokenizer=tokenizer)(
    "Hello", max_new_tokens=8, do_sample=False)[0]["generated_text"] == text
print(repr(text))
"""


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a byte tokenizer, saved by the independent implementation."""
    folder = tmp_path_factory.mktemp("llama")
    subprocess.run([sys.executable, "-c", MAKE_MODEL, str(folder)], check=True, capture_output=True)
    return folder


def names(listing: str) -> set[str]:
    return {entry["name"] for entry in json.loads(listing)}


def test_core_and_one_plugin_generate_and_an_uninstalled_one_says_how_to_come_back(
    make_environment: Callable[[Sequence[str]], object], llama: Path
) -> None:
    environment = make_environment(["modelry-core", "modelry-plugin-llama"])
    assert environment.run(environment.python, "-W", "error", "-c", GENERATE, llama).stdout.startswith("'Hello")
    environment.pip("uninstall", "--yes", "modelry-plugin-llama")
    gone = environment.run(environment.python, "-c", GENERATE, llama, check=False)
    assert gone.returncode == 1
    assert "MissingPlugin" in gone.stderr
    assert "pip install modelry-plugin-llama" in gone.stderr
    assert "text-generation" in names(environment.run("modelry", "plugins", "list", "--json").stdout)


def test_the_registry_works_alone(make_environment: Callable[[Sequence[str]], object]) -> None:
    environment = make_environment(["modelry-registry"])
    assert names(environment.run("modelry", "plugins", "list", "--json").stdout) == set()
    missing = environment.run("modelry", "plugins", "show", "llama", check=False)
    assert missing.returncode == 1
    assert "pip install modelry-plugin-llama" in missing.stderr


def test_everything_and_everything_minus_one(
    make_environment: Callable[[Sequence[str]], object], wheels: Path, llama: Path
) -> None:
    environment = make_environment(["modelry[llm]", "modelry-testing"])
    everything = names(environment.run("modelry", "plugins", "list", "--json").stdout)
    assert {"llama", "gguf", "sampling", "text-generation", "sdpa", "safetensors", "run"} <= everything
    assert environment.run(environment.python, "-W", "error", "-c", GENERATE, llama).stdout.startswith("'Hello")
    environment.pip("uninstall", "--yes", "modelry-plugin-gguf")
    assert names(environment.run("modelry", "plugins", "list", "--json").stdout) == everything - {"gguf"}
    assert environment.run(environment.python, "-W", "error", "-c", GENERATE, llama).stdout.startswith("'Hello")


def test_two_distributions_of_one_name(
    make_environment: Callable[[Sequence[str]], object], llama: Path, tmp_path: Path
) -> None:
    """A second provider of `llama` is found, refused with the ways out, and chosen with one of them."""
    environment = make_environment(["modelry-core", "modelry-plugin-llama"])
    (site,) = environment.folder.glob("lib/python*/site-packages")
    second = site / "acme_llama-1.0.dist-info"
    second.mkdir()
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-llama\nVersion: 1.0\n")
    (second / "entry_points.txt").write_text("[modelry.models.v1]\nllama = acme_llama\n")
    refused = environment.run(environment.python, "-c", GENERATE, llama, check=False)
    assert "AmbiguousName" in refused.stderr
    assert "acme-llama" in refused.stderr
    assert "modelry-plugin-llama" in refused.stderr
    environment.run(environment.python, "-c", GENERATE, llama, MODELRY_PREFER="models:llama=modelry-plugin-llama")
