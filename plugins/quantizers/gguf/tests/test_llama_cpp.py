"""llama.cpp loads the files that save_gguf writes, and answers as our model does. Runs where llama_cpp is installed."""

from pathlib import Path
from typing import Any

import pytest

from modelry import AutoModelForCausalLM, AutoTokenizer
from modelry_gguf import save_gguf

pytestmark = pytest.mark.models

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def llama_cpp() -> Any:
    return pytest.importorskip("llama_cpp")


@pytest.mark.parametrize("type_name", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1"])
def test_llama_cpp_answers(llama_cpp: Any, smollm2: Path, tmp_path: Path, type_name: Any) -> None:
    packed = type_name == "Q4_1"  # blocks as they are; the others by way of floats
    model = AutoModelForCausalLM.from_pretrained(smollm2, dtype="float32", quantization="gguf" if packed else None)
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    path = save_gguf(model, tokenizer, tmp_path / "model.gguf", type=type_name)
    theirs = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, verbose=False)
    text = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text)["input_ids"]
    assert theirs.tokenize(text.encode(), add_bos=False, special=True) == ids
    answer = theirs.create_chat_completion(QUESTION, temperature=0.0, max_tokens=16)
    said = answer["choices"][0]["message"]["content"]
    theirs.close()
    assert said.startswith("The capital of France is Paris")
