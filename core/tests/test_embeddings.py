"""The two ends of a vocabulary in packed models; of float models: test_model.py."""

from pathlib import Path

import pytest
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry import AutoModelForCausalLM
from modelry.errors import QuantizationError
from modelry.packed import Int8Linear

pytestmark = pytest.mark.usefixtures("registry")


def test_a_packed_head_keeps_its_rows(tmp_path: Path) -> None:
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, quantization="toy8")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(QuantizationError, match=r"lm_head is a packed PackedLinear.*modules_to_not_convert"):
        model.resize_token_embeddings(40)
    assert model.config.vocab_size == 32
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert model.resize_token_embeddings(32) is model.get_input_embeddings(), "nothing to change, nothing to refuse"


def test_a_packed_head_of_the_kernel() -> None:
    model = NoteForCausalLM.from_config(NoteConfig(tie_word_embeddings=False))
    model.set_output_embeddings(Int8Linear(8, 32, bias=None))
    with pytest.raises(QuantizationError, match="lm_head is a packed Int8Linear"):
        model.resize_token_embeddings(40)
