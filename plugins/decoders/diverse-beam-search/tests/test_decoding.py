"""What diverse beam search is for, batches, and refusals."""

import pytest
import torch

from modelry.errors import GenerationError

PROMPT = torch.tensor([[3, 4, 2]])


def test_a_great_penalty_gives_every_group_another_first_token(pair):
    ours, _ = pair(0)
    options = {"num_beams": 4, "num_return_sequences": 4, "max_new_tokens": 5, "pad_token_id": 0}
    plain = ours.generate(PROMPT, **options)
    diverse = ours.generate(PROMPT, num_beam_groups=4, diversity_penalty=50.0, **options)
    assert len(set(diverse[:, 3].tolist())) == 4 > len(set(plain[:, 3].tolist()))


def test_one_group_is_beam_search(pair):
    ours, _ = pair(1)
    options = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 8, "eos_token_id": 1, "pad_token_id": 0}
    one_group = ours.generate(PROMPT, strategy="diverse-beam-search", **options)
    assert torch.equal(one_group, ours.generate(PROMPT, strategy="beam-search", **options))


@pytest.mark.parametrize("scores", [False, True], ids=["settled prompts leave", "all rows stay"])
def test_prompts_in_one_batch_are_what_each_is_alone(pair, scores):
    ours, _ = pair(6)
    prompts = [[5, 3, 8, 2], [9, 4], [7]]
    ids = torch.tensor([[0] * (4 - len(one)) + one for one in prompts])
    mask = torch.tensor([[0] * (4 - len(one)) + [1] * len(one) for one in prompts])
    options = {
        "num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.6, "num_return_sequences": 2,
        "max_new_tokens": 12, "eos_token_id": [1, 6], "pad_token_id": 0, "early_stopping": True,
        "return_dict_in_generate": True, "output_scores": scores,
    }  # fmt: skip
    together = ours.generate(ids, attention_mask=mask, **options)
    for row, prompt in enumerate(prompts):
        alone = ours.generate(torch.tensor([prompt]), **options)
        torch.testing.assert_close(together.sequences_scores[2 * row : 2 * row + 2], alone.sequences_scores)
        width = alone.sequences.shape[1] - len(prompt)
        said = together.sequences[2 * row : 2 * row + 2, 4:]
        assert torch.equal(said[:, :width], alone.sequences[:, len(prompt) :])
        assert not said[:, width:].any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_beam_groups": 3, "diversity_penalty": 1.0}, "num_beams=4 is not a multiple of num_beam_groups=3"),
        ({"num_beam_groups": 2}, "diversity_penalty=0.0: all 2 groups would find the same"),
        ({"num_beam_groups": 2, "diversity_penalty": -0.5}, "diversity_penalty=-0.5"),
        ({"num_beam_groups": 2, "diversity_penalty": float("nan")}, "diversity_penalty=nan"),
        ({"num_beam_groups": 2, "diversity_penalty": 1.0, "do_sample": True}, "do_sample=True"),
        ({"num_beam_groups": 0}, "num_beam_groups=0"),
        ({"num_beam_groups": 2, "diversity_penalty": 1.0, "num_return_sequences": 5}, "num_return_sequences=5"),
        (
            {"num_beam_groups": 2, "diversity_penalty": 1.0, "suppress_tokens": list(range(12))},
            "every token is ruled out in rows",
        ),
    ],
)
def test_refusals_leave_the_model_usable(pair, options, says):
    ours, _ = pair(0)
    with pytest.raises(GenerationError, match=says):
        ours.generate(PROMPT, num_beams=4, max_new_tokens=3, pad_token_id=0, strategy="diverse-beam-search", **options)
    good = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}
    assert ours.generate(PROMPT, max_new_tokens=3, pad_token_id=0, **good).shape == (1, 6)
