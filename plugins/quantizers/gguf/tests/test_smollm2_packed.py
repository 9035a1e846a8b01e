"""The real SmolLM2-135M-Instruct, its blocks kept packed: the weights, logits and tokens of the dequantized model, and
the same file when it is written again."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from modelry import AutoModelForCausalLM, AutoTokenizer
from modelry.packed import GroupedInt8Linear, Int4Linear
from modelry_gguf import save_gguf

pytestmark = pytest.mark.models

NEW = 64


@pytest.fixture(scope="module")
def models(smollm2: Path) -> tuple[Any, Any]:
    """Packed and dequantized, float32."""
    packed = AutoModelForCausalLM.from_pretrained(smollm2, quantization="gguf", dtype="float32")
    return packed, AutoModelForCausalLM.from_pretrained(smollm2, dtype="float32")


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> Any:
    return AutoTokenizer.from_pretrained(smollm2)


def question(tokenizer: Any) -> torch.Tensor:
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids: torch.Tensor = tokenizer(text, return_tensors="pt")["input_ids"]
    return ids


def test_logits_and_greedy_tokens_are_those_of_the_dequantized_model(models: tuple[Any, Any], tokenizer: Any) -> None:
    """In one pass over what the dequantized model wrote: every token is the one that the packed model would choose."""
    packed, plain = models
    assert isinstance(packed.lm_head, GroupedInt8Linear)
    assert sum(isinstance(part, Int4Linear) for part in packed.modules()) == 210
    ids = question(tokenizer)
    written = plain.generate(ids, max_new_tokens=NEW, do_sample=False, eos_token_id=None)
    assert "Paris" in tokenizer.decode(written[0, ids.shape[1] :])
    with torch.inference_mode():
        expected, found = plain(written).logits, packed(written).logits
        one_by_one = packed(written[:, :8]).logits, packed(written[:, :1]).logits  # the kernel of few rows
    assert (found - expected).abs().max() < 1e-3  # of logits up to 38; measured: 0
    for some in one_by_one:
        assert (some - expected[:, : some.shape[1]]).abs().max() < 1e-2
    assert torch.equal(found[0, ids.shape[1] - 1 : -1].argmax(-1), written[0, ids.shape[1] :])


def test_bfloat16_answers(smollm2: Path, tokenizer: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(smollm2, quantization="gguf")
    assert model.dtype == torch.bfloat16
    ids = question(tokenizer)
    answer = model.generate(ids, max_new_tokens=12, do_sample=False)
    assert tokenizer.decode(answer[0, ids.shape[1] :]).startswith("The capital of France is Paris")


def test_written_again_it_has_the_same_tensors(
    smollm2: Path, models: tuple[Any, Any], tokenizer: Any, tmp_path: Path
) -> None:
    path = save_gguf(models[0], tokenizer, tmp_path / "again.gguf")
    before, after = gguf.GGUFReader(smollm2), gguf.GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in after.tensors}
    assert tensors.keys() == {tensor.name for tensor in before.tensors}
    for tensor in before.tensors:
        assert tensors[tensor.name].tensor_type == tensor.tensor_type
        assert np.array_equal(tensors[tensor.name].data, tensor.data), tensor.name
    for key, field in before.fields.items():
        if key.startswith(("llama.", "tokenizer.", "general.file_type", "general.architecture")):
            assert after.fields[key].contents() == field.contents(), key
