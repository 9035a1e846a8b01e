"""Every decoder plugin through the arguments of `generate`, streamed where it can be."""

import threading
from typing import Any

import numpy as np
import pytest

from modelry import TextStreamer
from modelry.errors import ParameterError, PipelineError

WANTED = {"max_new_tokens": 8, "min_new_tokens": 8}
STRATEGIES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"do_sample": True, "seed": 1, "top_p": 0.9}, True),
    ({"penalty_alpha": 0.6, "top_k": 4}, True),
    ({"dola_layers": "high"}, True),
    ({"prompt_lookup_num_tokens": 3}, True),
    ({"assistant_early_exit": 1}, True),
    ({"regex": "[a-z]{8}", "min_new_tokens": 0}, True),
    ({"watermarking_config": {"bias": 2.5}}, True),
    ({"generate_kwargs": {"do_sample": True, "seed": 2}}, True),
    ({"num_beams": 2}, False),
    ({"generate_kwargs": {"num_beams": 2}}, False),
    ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}, False),
    ({"num_beams": 4, "force_words_ids": [[5]]}, False),
    ({"do_sample": True, "seed": 1, "num_return_sequences": 2}, False),
]


@pytest.fixture
def chat(photo: np.ndarray) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": photo}, {"type": "text", "text": "what"}]}]


@pytest.mark.parametrize(("options", "streams"), STRATEGIES, ids=str)
def test_every_strategy_answers_and_streams_or_comes_in_one_part(
    see: Any, chat: Any, options: dict[str, Any], streams: bool
) -> None:
    lasting = {
        name: value for name, value in WANTED.items() if name not in {**options, **options.get("generate_kwargs", {})}
    }
    answer = see(chat, return_full_text=False, **lasting, **options)
    parts = list(see.stream(chat, **lasting, **options))
    assert "".join(parts) == see.display(answer)
    assert (len(parts) > 1) == streams
    assert [thread.name for thread in threading.enumerate() if thread.name == see.task] == []


def test_strategies_that_only_hasten_change_nothing(see: Any, chat: Any) -> None:
    plain = see(chat, **WANTED)
    for options in ({"prompt_lookup_num_tokens": 3}, {"assistant_early_exit": 1}, {"assistant_model": see.model}):
        assert see(chat, **WANTED, **options) == plain


def test_a_constraint_is_kept(see: Any, chat: Any) -> None:
    (answer,) = see(chat, return_full_text=False, max_new_tokens=12, min_new_tokens=0, regex="(cat|dog)")
    assert answer["generated_text"] in ("cat", "dog")


def test_closing_stops_the_model(see: Any, chat: Any) -> None:
    calls = []

    def count(ids: Any, scores: Any, **options: Any) -> bool:
        calls.append(1)
        return False

    parts = see.stream(chat, max_new_tokens=50, min_new_tokens=50, stopping_criteria=[count])
    next(parts)
    parts.close()
    assert len(calls) < 50


def test_what_cannot_be_streamed_fails_where_the_parts_are(see: Any, chat: Any) -> None:
    with pytest.raises(ParameterError, match="no parameter 'top_kk'"):
        see.stream(chat, top_kk=1)
    with pytest.raises(PipelineError, match="a text is needed"):
        next(see.stream({"images": chat[0]["content"][0]["image"]}))


def test_stop_sequences_and_a_streamer(see: Any, chat: Any, capsys: pytest.CaptureFixture[str]) -> None:
    whole = see(chat, return_full_text=False, **WANTED)[0]["generated_text"]
    stop = whole[2]
    (cut,) = see(chat, return_full_text=False, max_new_tokens=8, min_new_tokens=0, stop_sequence=stop)
    assert cut["generated_text"] == whole[: whole.index(stop) + 1]
    see(chat, streamer=TextStreamer(see.tokenizer, skip_prompt=True), **WANTED)
    assert capsys.readouterr().out.removesuffix("\n") == whole
