"""Collators of texts that are padded, against transformers' own on the same rows."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from modelry.errors import ParameterError
from modelry_trainer import collators


def same(ours: Any, theirs: Any) -> None:
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype, name
        assert torch.equal(value, theirs[name]), name


def rows(tokenizer: Any, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    return [dict(tokenizer(text)) for text in texts]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "options",
    [{}, {"pad_to_multiple_of": 8}, {"padding": "max_length", "max_length": 32}],
    ids=["longest", "multiple", "length"],
)
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("DataCollatorWithPadding", "label"),
        ("DataCollatorWithPadding", "label_ids"),
        ("DataCollatorForTokenClassification", "labels"),
        ("DataCollatorForTokenClassification", "label"),
        ("DataCollatorForSeq2Seq", "labels"),
    ],
)
def test_padded(name: str, column: str, options: dict, side: str, pieces: Any, texts: Any) -> None:
    made = []
    for tokenizer, room in zip(pieces, (collators, transformers), strict=True):
        tokenizer.padding_side = side
        features = rows(tokenizer, texts)
        for number, row in enumerate(features):
            single = name == "DataCollatorWithPadding"
            row[column] = number if single else [number + place for place in range(len(row["input_ids"]))]
        made.append(getattr(room, name)(tokenizer, **options)(features))
        tokenizer.padding_side = "right"
    same(*made)


def test_labels_may_be_tensors_and_be_missing(pieces: Any, texts: Any) -> None:
    tokenizer, _ = pieces
    features = rows(tokenizer, texts)
    assert "labels" not in collators.DataCollatorForSeq2Seq(tokenizer)(features)
    as_arrays = [{**row, "labels": np.arange(len(row["input_ids"]))} for row in features]
    as_tensors = [{**row, "labels": torch.arange(len(row["input_ids"]))} for row in features]
    collator = collators.DataCollatorForTokenClassification(tokenizer)
    same(collator(as_arrays), collator(as_tensors))


def test_a_model_prepares_what_its_decoder_reads(pieces: Any, texts: Any) -> None:
    class Shifting:
        def prepare_decoder_input_ids_from_labels(self, labels: torch.Tensor) -> torch.Tensor:
            return labels + 1

    tokenizer, _ = pieces
    features = [{**row, "labels": [3, 4]} for row in rows(tokenizer, texts)]
    batch = collators.DataCollatorForSeq2Seq(tokenizer, model=Shifting())(features)
    assert torch.equal(batch["decoder_input_ids"], batch["labels"] + 1)


def test_too_many_labels(pieces: Any, texts: Any) -> None:
    tokenizer, _ = pieces
    features = [{**row, "labels": [1] * 40} for row in rows(tokenizer, texts)]
    with pytest.raises(ParameterError, match=r"row 0 of the batch has 40 labels for \d+ tokens"):
        collators.DataCollatorForTokenClassification(tokenizer)(features)


def test_too_few_labels_and_rows_that_are_none(pieces: Any, texts: Any) -> None:
    tokenizer, _ = pieces
    features: list[Any] = [{**row, "labels": [1] * len(row["input_ids"])} for row in rows(tokenizer, texts)]
    features[1]["labels"] = [1]
    with pytest.raises(ParameterError, match=r"row 1 of the batch has 1 labels for \d tokens: each token needs one"):
        collators.DataCollatorForTokenClassification(tokenizer)(features)
    with pytest.raises(ParameterError, match="row 1 of the batch is a NoneType"):
        collators.DataCollatorWithPadding(tokenizer)([features[0], None])


@pytest.mark.parametrize(("label", "words"), [(None, "a label is None, where"), ("cat", "a label is the text 'cat'")])
def test_a_label_that_is_none(label: Any, words: str, pieces: Any, texts: Any) -> None:
    tokenizer, _ = pieces
    features = [{**row, "label": number or label} for number, row in enumerate(rows(tokenizer, texts))]
    with pytest.raises(ParameterError, match=words):
        collators.DataCollatorWithPadding(tokenizer)(features)


def test_multiple_choice(pieces: Any, texts: Any) -> None:
    made = []
    for tokenizer, room in zip(pieces, (collators, transformers), strict=True):
        features = []
        for number in range(3):
            answers = [dict(tokenizer(texts[number], other)) for other in texts]
            features.append({key: [one[key] for one in answers] for key in answers[0]} | {"label": number})
        made.append(room.DataCollatorForMultipleChoice(tokenizer)(features))
    same(*made)
    assert made[0]["input_ids"].shape[:2] == (3, 3)


def test_another_number_of_answers(pieces: Any) -> None:
    features = [{"input_ids": [[1], [2]], "label": 0}, {"input_ids": [[1]], "label": 0}]
    with pytest.raises(ParameterError, match="row 1 of the batch has 1 answers to choose from, row 0 has 2"):
        collators.DataCollatorForMultipleChoice(pieces[0])(features)


@pytest.mark.parametrize(
    "columns",
    [
        {"label": 2, "x": [1, 2]},
        {"label": 2.5, "x": [1.0, 2.0], "name": "left out", "nothing": None},
        {"label_ids": [1, 2, 3], "x": np.ones((2, 2), dtype=np.float32)},
        {"label_ids": torch.tensor([1, 2]), "x": torch.ones(2)},
        {"labels": [0.5, 1.0], "x": np.arange(3)},
        {"label": torch.tensor(1), "x": [[1], [2]]},
    ],
)
def test_default(columns: dict) -> None:
    features = [dict(columns) for _ in range(3)]
    same(collators.DefaultDataCollator()(features), transformers.DefaultDataCollator()(features))
    same(collators.default_data_collator(features), transformers.default_data_collator(features))
