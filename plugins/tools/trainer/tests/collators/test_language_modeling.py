"""Causal and masked labels: the very masks that transformers draws with the same seed."""

from typing import Any

import pytest
import torch
import transformers

from modelry.errors import ParameterError
from modelry_trainer.collators import DataCollatorForLanguageModeling


def both(tokenizers: Any, texts: Any, *, asked: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    made = []
    for tokenizer, kind in zip(
        tokenizers, (DataCollatorForLanguageModeling, transformers.DataCollatorForLanguageModeling), strict=True
    ):
        features = [dict(tokenizer(text, **(asked or {}))) for text in texts]
        collator = kind(tokenizer, **options)
        torch.manual_seed(11)
        made += [collator(features), collator(features)]
    ours, again, theirs, theirs_again = made
    for one, other in ((ours, theirs), (again, theirs_again)):
        assert set(one) == set(other)
        assert all(torch.equal(one[name], other[name]) for name in one)
    return [ours, again]


def test_causal(letters: Any, texts: Any) -> None:
    ours, _ = both(letters, texts, mlm=False)
    assert torch.equal(ours["labels"] == -100, ours["attention_mask"] == 0)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(
    "chances",
    [
        {},
        {"mlm_probability": 0.5, "mask_replace_prob": 0.3, "random_replace_prob": 0.6, "pad_to_multiple_of": 16},
        {"mlm_probability": 0.5, "mask_replace_prob": 1.0, "random_replace_prob": 0.0},
    ],
    ids=["usual", "random", "masks"],
)
@pytest.mark.parametrize("asked", [{}, {"return_special_tokens_mask": True}], ids=["", "marked"])
def test_masked(asked: dict, chances: dict, seed: int | None, pieces: Any, texts: Any) -> None:
    ours, again = both(pieces, texts, asked=asked, seed=seed, **chances)
    assert not torch.equal(ours["labels"], again["labels"])
    guessed = ours["labels"] != -100
    assert not guessed[ours["attention_mask"] == 0].any()


@pytest.mark.filterwarnings("ignore:Random token replacement")
@pytest.mark.filterwarnings("ignore:`offset_mapping`")
def test_whole_words(pieces: Any, texts: Any) -> None:
    asked = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    for text in (texts[0], texts[2]):  # one at a time: theirs cannot pad offsets, and leaves short ones unmasked
        both(pieces, [text], asked=asked, mlm_probability=0.4, whole_word_mask=True, seed=5)


def test_whole_words_of_padded_rows(pieces: Any, texts: Any) -> None:
    tokenizer, _ = pieces
    encoded = [tokenizer(text, return_offsets_mapping=True) for text in texts]
    for side in ("right", "left"):
        tokenizer.padding_side = side
        collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.5, whole_word_mask=True, seed=1)
        found = set()
        for _ in range(5):
            batch = collator([dict(one) for one in encoded])
            for number, one in enumerate(encoded):
                width = len(one["input_ids"])
                row = batch["labels"][number]
                labels = row[:width] if side == "right" else row[-width:]
                words: dict[int, set[bool]] = {}
                for word, guessed in zip(one.word_ids(), (labels != -100).tolist(), strict=True):
                    if word is None:
                        assert not guessed
                    else:
                        words.setdefault(word, set()).add(guessed)
                assert all(len(said) == 1 for word, said in words.items()), "a word is masked whole or not at all"
                found |= {tuple(said) for said in words.values()}
            assert torch.equal(batch["labels"] != -100, batch["input_ids"] == tokenizer.mask_token_id)
        assert found == {(True,), (False,)}
    tokenizer.padding_side = "right"


@pytest.mark.parametrize("whole", [False, True])
def test_a_batch_always_has_something_to_guess(whole: bool, pieces: Any, texts: Any) -> None:
    tokenizer, _ = pieces
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=1e-9, whole_word_mask=whole, seed=1)
    rows = [dict(tokenizer(text, return_offsets_mapping=True)) for text in texts]
    batches = [collator(rows)["labels"] for _ in range(5)]
    ends = torch.tensor(tokenizer.all_special_ids)
    assert all((labels != -100).any() and not torch.isin(labels, ends).any() for labels in batches)
    assert not all(torch.equal(batches[0], labels) for labels in batches)
    never = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0)
    assert never(rows)["labels"].eq(-100).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mlm_probability": 1.5}, "mlm_probability is 1.5"),
        ({"mask_replace_prob": 0.9, "random_replace_prob": 0.2}, "more than 1 together"),
        ({"mlm": False, "whole_word_mask": True}, "with mlm=False nothing is"),
    ],
)
def test_refusals(options: dict, words: str, pieces: Any) -> None:
    with pytest.raises(ParameterError, match=words):
        DataCollatorForLanguageModeling(pieces[0], **options)


def test_no_mask_token_and_no_offsets(letters: Any, pieces: Any) -> None:
    with pytest.raises(ParameterError, match="has no mask_token"):
        DataCollatorForLanguageModeling(letters[0])
    with pytest.raises(ParameterError, match="row 0 of the batch has no offset_mapping"):
        DataCollatorForLanguageModeling(pieces[0], whole_word_mask=True)([dict(pieces[0]("Rain"))])
