"""What an encoder-decoder's answer begins with: the ids given, behind the start token, padded on the left or not."""

import pytest
import torch

from modelry.auto_config import AutoConfig
from modelry.auto_heads import AutoModelForSeq2SeqLM
from modelry.errors import GenerationError

SOURCE = torch.tensor([[5, 6, 7], [8, 9, 10]])
START = 2


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"d_model": 16, "max_position_embeddings": 32, "vocab_size": 40, "init_std": 0.4}
    parts = {f"{side}_{name}": number for side in ("encoder", "decoder") for name, number in
             (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))}  # fmt: skip
    ends = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": None, "forced_eos_token_id": None}
    config = AutoConfig.for_model("bart", decoder_start_token_id=START, **sizes, **parts, **ends)
    return AutoModelForSeq2SeqLM.from_config(config).eval()


def run(model, begins, source=SOURCE, **options):
    return model.generate(source, decoder_input_ids=begins, max_new_tokens=4, **options).tolist()


def test_the_start_token_comes_first_once(model):
    behind = run(model, torch.tensor([[11, 12], [13, 14]]))
    assert [row[:3] for row in behind] == [[START, 11, 12], [START, 13, 14]]
    assert run(model, torch.tensor([[START, 11, 12], [START, 13, 14]])) == behind
    assert run(model, [START, 11]) == run(model, [[START, 11]] * 2)  # one row for all


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"use_cache": False}, {"repetition_penalty": 1.5}])
def test_padding_before_it_changes_nothing(model, options):
    begins, seen = torch.tensor([[0, START, 12], [START, 13, 14]]), torch.tensor([[0, 1, 1], [1, 1, 1]])
    found = run(model, begins, decoder_attention_mask=seen, **options)
    alone = run(model, torch.tensor([[START, 12]]), SOURCE[:1], **options)
    assert found[0][1:] == alone[0]
    assert found[1] == run(model, begins[1:], SOURCE[1:], **options)[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decoder_input_ids": [[START, 99]]}, "token id 99"),
        ({"decoder_input_ids": [[0.5]]}, "whole numbers"),
        ({"decoder_input_ids": [[START]] * 3}, "2 prompts"),
        ({"decoder_input_ids": torch.zeros(2, 0)}, r"\(2, 0\)"),
        ({"decoder_input_ids": [[START, 5]], "decoder_attention_mask": [[1]]}, r"\(1, 1\)"),
        ({"decoder_input_ids": [[START, 5]], "decoder_attention_mask": [[1, 0]]}, "on the left"),
        ({"decoder_attention_mask": [[1]]}, "there are none"),
        ({"decoder_inputs_embeds": torch.zeros(2, 1, 16)}, "decoder_input_ids"),
        ({"decoder_start_token_id": [2, 3, 4]}, "3 tokens"),
        ({"decoder_start_token_id": 99}, "token id 99"),
        ({"encoder_outputs": "x"}, "is a NoneType"),
        ({"encoder_outputs": (torch.zeros(3, 4, 16),)}, "input_ids has 2 rows, and encoder_outputs 3"),
    ],
)
def test_what_cannot_be(model, options, words):
    with pytest.raises(GenerationError, match=words):
        model.generate(SOURCE, max_new_tokens=2, **options)
