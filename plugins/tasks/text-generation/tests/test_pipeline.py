"""Texts and chats in, continuations out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import pipeline
from modelry.errors import GenerationError, ParameterError, PipelineError, PreprocessorError
from modelry.pipelines import Pipeline

CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Who is there?"}]


def generated(pipe: Pipeline[Any], text: str, **options: Any) -> str:
    """The new text, straight from the model."""
    tokenizer = pipe.tokenizer
    assert tokenizer is not None
    inputs = tokenizer(text, return_tensors="pt")
    wanted = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False, **options}
    ids = pipe.model.generate(inputs["input_ids"], tokenizer=tokenizer, **wanted)
    return str(tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def test_a_text_is_continued(pipe: Pipeline[Any]) -> None:
    assert pipe("the quick") == [{"generated_text": "the quick" + generated(pipe, "the quick")}]


def test_only_what_is_new(pipe: Pipeline[Any]) -> None:
    assert pipe("the quick", return_full_text=False) == [{"generated_text": generated(pipe, "the quick")}]


def test_token_ids(pipe: Pipeline[Any]) -> None:
    (answer,) = pipe("the quick", return_tensors=True)
    prompt = pipe.tokenizer("the quick")["input_ids"]
    assert answer["generated_token_ids"][: len(prompt)] == prompt
    assert len(answer["generated_token_ids"]) == len(prompt) + 8


def test_a_list(pipe: Pipeline[Any]) -> None:
    texts = ["the", "a longer line about"]
    assert pipe(texts) == [pipe(text) for text in texts]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_batches_of_unequal_length_are_padded_on_the_left(pipe: Pipeline[Any], size: int) -> None:
    items: list[Any] = ["the", "a longer line about nothing", "fox jumps", CHAT]
    assert pipe(items, batch_size=size) == pipe(items)


def test_rows_that_end_early_are_cut_there(folder: Path) -> None:
    pipe = pipeline("text-generation", model=folder, device="cpu", max_new_tokens=12, do_sample=False)
    texts = ["the", "a longer line", "fox", "jumps over", "1234", "dog", "nothing at all"]
    alone = pipe(texts, return_tensors=True)
    assert pipe(texts, batch_size=len(texts), return_tensors=True) == alone


def test_a_generator_is_answered_in_order_as_it_is_read(pipe: Pipeline[Any]) -> None:
    def prompts() -> Iterator[str]:
        yield from ("the", "fox", "dog")

    results = pipe(prompts(), batch_size=2)
    assert next(results)[0]["generated_text"].startswith("the")
    assert [answer[0]["generated_text"][:3] for answer in results] == ["fox", "dog"]


def test_rows_of_a_data_set(pipe: Pipeline[Any]) -> None:
    rows = [{"text": "the", "label": 1}, {"prompt": "fox"}, {"messages": CHAT}]
    assert pipe(rows) == [pipe("the"), pipe("fox"), pipe(CHAT)]


def test_a_chat_is_answered_with_the_chat_and_a_message(pipe: Pipeline[Any]) -> None:
    (answer,) = pipe(CHAT)
    *before, last = answer["generated_text"]
    assert before == CHAT
    prompt = "<|system|>Be kind.<|end|><|user|>Who is there?<|end|><|assistant|>"
    assert last == {"role": "assistant", "content": generated(pipe, prompt)}
    assert pipe(CHAT, return_full_text=False)[0]["generated_text"] == last["content"]


def test_several_chats(pipe: Pipeline[Any]) -> None:
    assert pipe([CHAT, CHAT[1:]]) == [pipe(CHAT), pipe(CHAT[1:])]


def test_the_last_message_is_continued_if_it_is_the_assistants(pipe: Pipeline[Any]) -> None:
    begun = [*CHAT, {"role": "assistant", "content": "It is"}]
    prompt = "<|system|>Be kind.<|end|><|user|>Who is there?<|end|><|assistant|>It is"
    (answer,) = pipe(begun)
    assert answer["generated_text"][:-1] == CHAT
    assert answer["generated_text"][-1]["content"] == "It is" + generated(pipe, prompt)
    (another,) = pipe(begun, continue_final_message=False)
    assert len(another["generated_text"]) == 4


def test_prefix(pipe: Pipeline[Any]) -> None:
    """It is read and not told, as published."""
    (found,), (expected,) = pipe("quick", prefix="the "), pipe("the quick")
    assert "the " + found["generated_text"] == expected["generated_text"]
    new = {"return_full_text": False}
    assert pipe("quick", prefix="the ", **new) == pipe("the quick", **new)


def test_the_names_of_the_first_argument(pipe: Pipeline[Any]) -> None:
    assert pipe(text_inputs="the quick") == pipe(inputs="the quick") == pipe("the quick")
    with pytest.raises(ParameterError, match="text_inputs= and inputs= are two names of one thing"):
        pipe("the", inputs="the")


def test_several_sequences(pipe: Pipeline[Any]) -> None:
    answers = pipe(["the", "a longer line"], num_return_sequences=3, do_sample=True, seed=1, batch_size=2)
    assert [len(answer) for answer in answers] == [3, 3]
    assert all(entry["generated_text"].startswith("a longer line") for entry in answers[1])
    assert len({entry["generated_text"] for entry in answers[1]}) > 1


@pytest.mark.parametrize("options", [{"cache": "quantized"}, {"cache_implementation": "static"}])
def test_another_cache(pipe: Pipeline[Any], options: dict[str, Any]) -> None:
    assert pipe("the quick", **options) == pipe("the quick")


def test_a_seed_repeats(pipe: Pipeline[Any]) -> None:
    sampled = {"do_sample": True, "temperature": 2.0}
    assert pipe("the", seed=3, **sampled) == pipe("the", seed=3, **sampled)


@pytest.mark.parametrize("name", ["stop_strings", "stop_sequence"])
def test_stop_strings(pipe: Pipeline[Any], name: str) -> None:
    whole = generated(pipe, "the quick", max_new_tokens=20, min_new_tokens=20)
    stop = whole[3:6]
    text = pipe("the quick", max_new_tokens=20, min_new_tokens=1, return_full_text=False, **{name: stop})
    assert stop in text[0]["generated_text"]
    assert len(text[0]["generated_text"]) < len(whole)


def test_without_a_limit_256_tokens_or_what_is_left_of_the_context(folder: Path) -> None:
    pipe = pipeline("text-generation", model=folder, device="cpu", do_sample=False)
    (answer,) = pipe("the quick brown fox", return_tensors=True, suppress_tokens=[0])
    assert len(answer["generated_token_ids"]) == 64


def test_a_max_length_counts_the_prompt(pipe: Pipeline[Any], folder: Path) -> None:
    free = pipeline("text-generation", model=folder, device="cpu", do_sample=False)
    (answer,) = free("the quick", return_tensors=True, max_length=10)
    assert len(answer["generated_token_ids"]) <= 10


def test_a_long_prompt_is_refused_or_cut(pipe: Pipeline[Any]) -> None:
    long = "the quick brown fox jumps " * 20
    with pytest.raises(PipelineError) as caught:
        pipe(long)
    assert isinstance(caught.value.__cause__, GenerationError)
    (answer,) = pipe(long, handle_long_generation="hole", return_tensors=True)
    assert len(answer["generated_token_ids"]) == 64
    with pytest.raises(PipelineError, match="no room for a prompt"):
        pipe(long, handle_long_generation="hole", max_new_tokens=64)


def test_the_task_follows_from_the_model(folder: Path) -> None:
    assert pipeline(model=folder).task == "text-generation"


def test_save_and_make_again(pipe: Pipeline[Any], tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    again = pipeline("text-generation", model=tmp_path, device="cpu", max_new_tokens=8, min_new_tokens=8)
    assert again(CHAT, do_sample=False) == pipe(CHAT)


def test_a_model_and_a_tokenizer_as_objects(pipe: Pipeline[Any]) -> None:
    made = pipeline("text-generation", model=pipe.model, tokenizer=pipe.tokenizer)
    assert made("the", max_new_tokens=8, min_new_tokens=8, do_sample=False) == pipe("the")


def test_an_empty_prompt(pipe: Pipeline[Any]) -> None:
    with pytest.raises(PipelineError, match="the prompt is empty") as caught:
        pipe("")
    assert isinstance(caught.value.__cause__, GenerationError)


@pytest.mark.parametrize("item", [7, None, b"bytes", torch.ones(2), {"question": "?"}, {"text": "a", "prompt": "b"}])
def test_what_is_no_prompt(pipe: Pipeline[Any], item: Any) -> None:
    with pytest.raises(PipelineError) as caught:
        pipe(item)
    assert isinstance(caught.value.__cause__, PreprocessorError)


@pytest.mark.parametrize("chat", [[{"role": "user", "content": "x"}, "y"], [{"role": 3, "content": "x"}]])
def test_what_is_no_chat(pipe: Pipeline[Any], chat: Any) -> None:
    with pytest.raises(PipelineError, match="must be a mapping with a 'role' and a 'content'"):
        pipe(chat)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_bad_item_in_a_batch_harms_no_other(pipe: Pipeline[Any], size: int) -> None:
    answers = pipe(["the", "", "fox", 7, "dog"], batch_size=size, on_error="return")
    assert [isinstance(answer, PipelineError) for answer in answers] == [False, True, False, True, False]
    assert "item 3 (7)" in str(answers[3])
    assert answers[4] == pipe("dog")


def test_an_unknown_keyword(pipe: Pipeline[Any]) -> None:
    with pytest.raises(ParameterError, match=r"no parameter 'max_new_token'\. Did you mean 'max_new_tokens'"):
        pipe("the", max_new_token=3)
    with pytest.raises(ParameterError, match="no parameter 'return_dict_in_generate'"):
        pipe("the", return_dict_in_generate=True)


@pytest.mark.parametrize(
    "values",
    [
        {"max_new_tokens": -1},
        {"temperature": "hot"},
        {"top_p": 7},
        {"return_tensors": True, "return_text": True},
        {"return_tensors": True, "return_full_text": True},
        {"stop_sequence": "a", "stop_strings": "b"},
        {"handle_long_generation": "fold"},
    ],
)
def test_an_impossible_value_is_refused_before_anything_runs(pipe: Pipeline[Any], values: dict[str, Any]) -> None:
    with pytest.raises((ParameterError, GenerationError)):
        pipe.parameters(**values)


def test_a_tokenizer_is_needed(pipe: Pipeline[Any]) -> None:
    with pytest.raises(PreprocessorError, match="needs a tokenizer"):
        type(pipe)(pipe.model, task="text-generation")


def test_a_chat_without_a_template(pipe: Pipeline[Any], folder: Path) -> None:
    from modelry import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, chat_template=None)
    tokenizer.chat_template = None
    with pytest.raises(PipelineError, match="template"):
        type(pipe)(pipe.model, task="text-generation", tokenizer=tokenizer)(CHAT)


def test_pictures_are_refused(pipe: Pipeline[Any]) -> None:
    parts = [{"type": "image", "url": "photo.png"}, {"type": "text", "text": "What is this?"}]
    with pytest.raises(PipelineError, match="carries image inputs, and text-generation reads text alone"):
        pipe([{"role": "user", "content": parts}])
