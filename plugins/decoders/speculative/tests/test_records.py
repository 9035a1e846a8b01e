"""Scores and logits of each token are those of plain greedy decoding, row by row, and zeros behind a row's end."""

import pytest
import torch

WAYS = [{"prompt_lookup_num_tokens": 4}, {"assistant_early_exit": 2}]
OPTIONS = {"max_new_tokens": 16, "pad_token_id": 0, "eos_token_id": [3, 7], "return_dict_in_generate": True}


@pytest.mark.parametrize("processors", [{}, {"repetition_penalty": 1.2, "no_repeat_ngram_size": 4}])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_of_each_token(llama, prompts, way, processors):
    ended = 0
    for seed in range(4):
        ids, mask = prompts(seed)
        options = {**OPTIONS, **processors, "attention_mask": mask, "output_scores": True, "output_logits": True}
        plain, found = (llama(seed).generate(ids, **options, **one) for one in ({}, way))
        assert found.sequences.tolist() == plain.sequences.tolist()
        assert found.statistics["accepted"] > 0 or seed
        assert len(found.scores) == len(found.logits) == len(plain.scores)
        over = torch.zeros(len(ids), dtype=torch.bool)
        for step, tokens in enumerate(found.sequences[:, ids.shape[1] :].T):
            for name in ("scores", "logits"):
                here, there = getattr(found, name)[step], getattr(plain, name)[step]
                torch.testing.assert_close(here[~over], there[~over], rtol=1e-4, atol=1e-4)
                assert not here[over].any()
            over |= (tokens == 3) | (tokens == 7)
        ended += int(over.sum())
    assert ended
