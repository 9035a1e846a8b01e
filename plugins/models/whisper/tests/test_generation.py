"""Languages, tasks, prompts and time stamps: the tokens that transformers' generate gives."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelry.errors import GenerationError
from modelry_whisper import WhisperForAudioClassification, WhisperForConditionalGeneration
from modelry_whisper.timestamps import TimestampRules

TIMES = [40, 41, *range(60, 70)]
"""Whoever writes no time stamps says none: theirs would cut the sound there and listen again."""
CALLS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "language": {"language": "de"},
    "languages": {"language": ["<|de|>", "english", "fr"], "task": "translate"},
    "task": {"task": "transcribe"},
    "beams": {"num_beams": 3},
    "prompt": {"prompt_ids": torch.tensor([28, 31, 33]), "language": "en"},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CALLS)
def test_tokens(case: str, folder: Path, theirs: Any, features: torch.Tensor) -> None:
    ours = WhisperForConditionalGeneration.from_pretrained(folder)
    call = {"max_new_tokens": 8, "do_sample": False, "suppress_tokens": TIMES, **CALLS[case]}
    found, expected = ours.generate(features, **dict(call)), theirs.generate(features, **dict(call))
    assert found.tolist() == expected.tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("of_the_file", [None, 24, 9])
@pytest.mark.parametrize("call", [{}, {"max_length": 7}, {"max_new_tokens": 5}], ids=str)
def test_lengths_count_the_answer_alone(
    call: dict[str, int], of_the_file: int | None, folder: Path, theirs: Any, features: torch.Tensor
) -> None:
    """Not what goes before it; and an answer ends with the positions of the model, which a file may name too."""
    ours, before = WhisperForConditionalGeneration.from_pretrained(folder), theirs.generation_config.max_length
    found = []
    for model in (ours, theirs):
        model.generation_config.max_length = of_the_file
        for prompt in (None, torch.tensor([28, 30, 31, 32])):
            options = {"language": "de", "do_sample": False, "suppress_tokens": [*TIMES, 2], "prompt_ids": prompt}
            found.append(model.generate(features[:1], **options, **call).tolist())
    theirs.generation_config.max_length = before
    assert found[:2] == found[2:]


@pytest.mark.filterwarnings("ignore")
def test_published_start_of_older_files(folder: Path, theirs: Any, features: torch.Tensor) -> None:
    ours = WhisperForConditionalGeneration.from_pretrained(folder)
    for forced in ([[1, None], [2, 26]], [[1, 22], [2, 25]]):
        for model in (ours, theirs):
            model.generation_config.forced_decoder_ids = forced
        call = {"max_new_tokens": 5, "do_sample": False, "suppress_tokens": TIMES}
        assert ours.generate(features, **call).tolist() == theirs.generate(features, **call).tolist()
    theirs.generation_config.forced_decoder_ids = None


def test_time_stamps_are_written(folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    found = model.generate(features, language="en", return_timestamps=True, max_new_tokens=8, do_sample=False)
    assert all(60 <= first <= 65 for first in found[:, 0].tolist())
    assert 59 not in found
    once = {"language": "en", "max_new_tokens": 8, "do_sample": False}
    plain = model.generate(features, return_timestamps=False, **once)
    assert plain.tolist() == model.generate(features, **once).tolist()


def test_record_and_own_start(folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    call = {"max_new_tokens": 4, "do_sample": False}
    record = model.generate(features, language="de", return_dict_in_generate=True, output_scores=True, **call)
    assert record.sequences.tolist() == model.generate(features, language="de", **call).tolist()
    assert len(record.scores) == 4
    model.generation_config.decoder_start_token_id = [3, 3, 3]
    assert record.sequences.tolist() == model.generate(features, language="de", **call).tolist()
    model.generation_config.decoder_start_token_id = [3, 3, 4]
    with pytest.raises(GenerationError, match=r"decoder_start_token_id is \[3, 3, 4\]: all texts"):
        model.generate(features, language="de", **call)
    own = model.generate(input_features=features, decoder_input_ids=torch.tensor([[3, 21, 25, 59]] * 3), **call)
    assert own[:, 4:].tolist() == record.sequences.tolist()
    other = model.generate(input_features=features, decoder_input_ids=torch.tensor([[4, 21, 25, 59]] * 3), **call)
    said = model.generate(features, {"decoder_start_token_id": 3}, language="de", decoder_start_token_id=4, **call)
    assert other.tolist() != own.tolist()
    assert said.tolist() == other[:, 4:].tolist()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"language": "klingon"}, "does not know the language 'klingon'; it knows de, en, fr"),
        ({"language": ["de"]}, "language= names 1 languages for 3 rows"),
        ({"task": "summarize"}, "has no task 'summarize'; it has transcribe, translate"),
    ],
)
def test_refused(call: dict[str, Any], said: str, folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    with pytest.raises(GenerationError, match=said):
        model.generate(features, **call)


def test_a_model_of_one_language(folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    for key in ("no_timestamps_token_id", "lang_to_id", "task_to_id"):
        setattr(model.generation_config, key, None)
    assert model.generate(features, max_new_tokens=3, do_sample=False).shape == (3, 3)
    with pytest.raises(GenerationError, match="this model has no time stamps"):
        model.generate(features, return_timestamps=True)
    with pytest.raises(GenerationError, match="it only transcribes"):
        model.generate(features, task="translate")


def test_features_of_another_size(folder: Path) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    with pytest.raises(ValueError, match=r"\(1, 16, 39\): \(rows, 16, 40\) is needed. The feature extractor's"):
        model(input_features=torch.zeros(1, 16, 39), decoder_input_ids=torch.tensor([[3]]))
    with pytest.raises(ValueError, match="either input_features or encoder_outputs"):
        model(decoder_input_ids=torch.tensor([[3]]))
    with pytest.raises(ValueError, match="labels have 25 tokens, and the model was made for 24"):
        model(input_features=torch.zeros(1, 16, 40), labels=torch.ones(1, 25, dtype=torch.long))


def test_a_whole_checkpoint_becomes_a_classifier(folder: Path, features: torch.Tensor) -> None:
    whole = WhisperForConditionalGeneration.from_pretrained(folder)
    with pytest.warns(UserWarning, match="classifier"):
        classifier = WhisperForAudioClassification.from_pretrained(folder, num_labels=4)
    assert torch.equal(classifier.encoder.conv1.weight, whole.model.encoder.conv1.weight)
    assert classifier(features).logits.shape == (3, 4)


def test_spec_augment_in_training_only(folder: Path, features: torch.Tensor) -> None:
    model = WhisperForConditionalGeneration.from_pretrained(
        folder, apply_spec_augment=True, mask_feature_prob=0.5, mask_feature_length=4, mask_time_prob=0.3
    )
    ids = torch.tensor([[3, 5]] * 3)
    still = model(features, decoder_input_ids=ids).logits
    assert torch.equal(still, model(features, decoder_input_ids=ids).logits)
    model.train()
    assert not torch.equal(still, model(features, decoder_input_ids=ids).logits)


ROWS = [[3, 20], [3, 20, 31], [3, 20, 31, 8], [3, 20, 31, 8, 35], [3, 20, 31, 8, 35, 35], [3, 20, 31, 8, 35, 35, 9]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_rules_of_time_stamps(row: list[int]) -> None:
    config = transformers.GenerationConfig(eos_token_id=2, no_timestamps_token_id=29, max_initial_timestamp_index=5)
    theirs = transformers.generation.logits_process.WhisperTimeStampLogitsProcessor(config, begin_index=2)
    ours = TimestampRules(29, 2, begin=2, latest_beginning=5)
    ids = torch.tensor([row, row])
    scores = torch.randn(2, 70, generator=torch.Generator().manual_seed(len(row)))
    scores[1, 30:] -= 6  # words are likelier
    before = scores.clone()
    assert torch.equal(ours(ids, scores), theirs(ids, scores.clone()))
    assert torch.equal(scores, before)
