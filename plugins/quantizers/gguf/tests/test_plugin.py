"""Found by the registry, imported late, and without torch for configurations and tokenizers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelry_gguf
from modelry_gguf.reader import GgufReader
from modelry_registry import get_registry, resolve

PROGRAM = """
import json, sys
from modelry import AutoConfig, AutoTokenizer
config = AutoConfig.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
ids = tokenizer("Hello world").input_ids
print(json.dumps([config.model_type, ids, "torch" in sys.modules, "gguf" in sys.modules]))
"""


def test_registered_under_its_suffix() -> None:
    spec = get_registry().get("checkpoints", "gguf")
    assert spec.suffixes == (".gguf",)
    assert resolve(spec.reader) is GgufReader
    assert modelry_gguf.GgufReader is GgufReader


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Reader'"):
        modelry_gguf.Reader  # noqa: B018  the access is what raises


@pytest.mark.models
def test_configuration_and_tokenizer_need_no_torch(smollm2: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(smollm2)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model_type, ids, torch_there, gguf_there = json.loads(done.stdout)
    assert (model_type, ids, torch_there, gguf_there) == ("llama", [19556, 905], False, False)
