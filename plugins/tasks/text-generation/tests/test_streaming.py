"""Answers in parts."""

import threading
from typing import Any

import pytest

from modelry import TextStreamer
from modelry.errors import ParameterError, PipelineError
from modelry.pipelines import Pipeline

CHAT = [{"role": "user", "content": "Who is there?"}]


def streaming_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "text-generation"]


@pytest.mark.parametrize("item", ["the quick", CHAT])
def test_the_parts_are_the_new_text(pipe: Pipeline[Any], item: Any) -> None:
    parts = list(pipe.stream(item, max_new_tokens=20, min_new_tokens=20))
    (answer,) = pipe(item, max_new_tokens=20, min_new_tokens=20, return_full_text=False)
    assert "".join(parts) == answer["generated_text"]
    assert streaming_threads() == []


def test_closing_stops_the_model(pipe: Pipeline[Any]) -> None:
    calls = []

    def count(ids: Any, scores: Any, **options: Any) -> bool:
        calls.append(1)
        return False

    parts = pipe.stream("the", max_new_tokens=50, min_new_tokens=50, stopping_criteria=[count])
    next(parts)
    parts.close()
    assert streaming_threads() == []
    assert len(calls) < 50


def test_a_failure_arrives_where_the_parts_do(pipe: Pipeline[Any]) -> None:
    parts = pipe.stream("")
    with pytest.raises(PipelineError, match="the prompt is empty"):
        next(parts)
    assert streaming_threads() == []


def test_a_wrong_keyword_fails_at_once(pipe: Pipeline[Any]) -> None:
    with pytest.raises(ParameterError, match="no parameter 'top_kk'"):
        pipe.stream("the", top_kk=1)


def test_several_sequences_come_in_one_part(pipe: Pipeline[Any]) -> None:
    wanted = {"num_return_sequences": 2, "do_sample": True, "seed": 1}
    answers = pipe("the", return_full_text=False, **wanted)
    assert list(pipe.stream("the", **wanted)) == ["\n\n".join(answer["generated_text"] for answer in answers)]


@pytest.mark.parametrize(
    ("options", "streams"),
    [
        ({"do_sample": True, "seed": 1}, True),
        ({"penalty_alpha": 0.6, "top_k": 4}, True),
        ({"dola_layers": "high"}, True),
        ({"prompt_lookup_num_tokens": 3}, True),
        ({"assistant_early_exit": 1}, True),
        ({"regex": "[a-z]{20}", "min_new_tokens": 0}, True),
        ({"json_schema": {"type": "integer", "minimum": 10, "maximum": 99}, "min_new_tokens": 0}, True),
        ({"watermarking_config": {"bias": 2.5}}, True),
        ({"watermarking_config": {"keys": [1, 2, 3], "ngram_len": 3}, "do_sample": True, "seed": 1}, True),
        ({"watermarking_config": {"bias": 2.5}, "regex": "[a-z]{20}", "min_new_tokens": 0}, True),
        ({"watermarking_config": {"bias": 2.5}, "num_beams": 2}, False),
        ({"num_beams": 2, "do_sample": True, "seed": 1}, False),
        ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}, False),
        ({"num_beams": 4, "force_words_ids": [[5]]}, False),
    ],
    ids=str,
)
def test_every_strategy_streams_or_comes_in_one_part(
    pipe: Pipeline[Any], options: dict[str, Any], streams: bool
) -> None:
    wanted = {"max_new_tokens": 20, "min_new_tokens": 20, **options}
    (answer,) = pipe("the quick brown", return_full_text=False, **wanted)
    parts = list(pipe.stream("the quick brown", **wanted))
    assert "".join(parts) == answer["generated_text"]
    assert (len(parts) > 1) == streams


def test_a_model_that_drafts_streams(pipe: Pipeline[Any]) -> None:
    drafts = {"assistant_model": pipe.model, "assistant_tokenizer": pipe.tokenizer}
    parts = list(pipe.stream("the quick", max_new_tokens=20, min_new_tokens=20, **drafts))
    (answer,) = pipe("the quick", max_new_tokens=20, min_new_tokens=20, return_full_text=False)
    assert "".join(parts) == answer["generated_text"]


def test_the_call_decides_over_the_file_when_streaming(pipe: Pipeline[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe.model, "generation_config", pipe.model.generation_config.updated(strategy="dola"))
    assert len(list(pipe.stream("the quick", num_beams=2))) == 1


def test_a_streamer_of_the_callers_own(pipe: Pipeline[Any], capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = pipe("the", streamer=TextStreamer(pipe.tokenizer, skip_prompt=True), return_full_text=False)
    assert capsys.readouterr().out.removesuffix("\n") == answer["generated_text"]


def test_the_registry_in_use_is_the_callers(pipe: Pipeline[Any]) -> None:
    from modelry.errors import ModelryError
    from modelry_registry import Registry, use_registry

    with use_registry(Registry([])), pytest.raises(ModelryError, match="sampling"):
        list(pipe.stream("the"))
