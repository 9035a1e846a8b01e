"""llama.cpp loads the files that save_gguf writes, and answers from them. Runs where llama_cpp is installed."""

from pathlib import Path
from typing import Any

import pytest

from modelry import AutoModelForCausalLM, AutoTokenizer
from modelry_gguf import save_gguf

pytestmark = pytest.mark.models

QUESTION = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def llama_cpp(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package, made not to repack weights: its AMX products (0.3.36, gcc 12) die of illegal instructions on some
    machines that say they have AMX, with any quantized file."""
    package = pytest.importorskip("llama_cpp")
    usual = package.llama_cpp.llama_model_default_params

    def parameters() -> Any:
        values = usual()
        values.use_extra_bufts = False
        return values

    monkeypatch.setattr(package.llama_cpp, "llama_model_default_params", parameters)
    return package


@pytest.mark.parametrize("type_name", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_llama_cpp_answers(llama_cpp: Any, smollm2: Path, tmp_path: Path, type_name: Any) -> None:
    packed = type_name == "Q4_1"  # blocks as they are; the others by way of floats
    model = AutoModelForCausalLM.from_pretrained(smollm2, dtype="float32", quantization="gguf" if packed else None)
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    path = save_gguf(model, tokenizer, tmp_path / "model.gguf", type=type_name)
    theirs = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, verbose=False)
    ids = tokenizer(QUESTION)["input_ids"]
    assert theirs.tokenize(QUESTION.encode(), add_bos=False, special=True) == ids
    assert theirs.metadata["tokenizer.chat_template"] == tokenizer.chat_template
    said = theirs.create_completion(ids, temperature=0.0, max_tokens=8)["choices"][0]["text"]
    theirs.close()
    assert said.startswith("The capital of France is Paris")
