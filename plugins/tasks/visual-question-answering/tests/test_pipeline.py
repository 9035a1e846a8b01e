"""Questions and images as they may be given, answers as the model writes them, and what is no question."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from modelry import pipeline
from modelry.cli.run import run
from modelry.errors import ParameterError, PipelineError
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.pictures import encoded, picture
from modelry_testing.toys.seeing_models import save_seeing_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer

QUESTION = "how many?"


def test_the_model_is_asked_in_its_chat(ask: Any, photo: np.ndarray) -> None:
    (answer,) = ask(image=photo, question=QUESTION)
    inputs: Any = ask.processor
    prompt = inputs("user: <image>how many?assistant: ", images=photo, return_tensors="pt")
    ids = ask.model.generate(**prompt, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    new = ids[0, prompt["input_ids"].shape[1] :]
    assert answer == {"answer": inputs.decode(new, skip_special_tokens=True).strip()}


def test_every_form_of_a_question(ask: Any, photo: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(photo))
    expected = ask(photo, QUESTION)
    for found in (
        ask({"image": str(path), "question": QUESTION}),
        ask(image=path, question=QUESTION),
        ask(image=Image.fromarray(photo), question=QUESTION),
        ask(Image.fromarray(photo), [QUESTION])[0],
        ask({"images": [photo], "text": QUESTION}),
        *ask([{"image": photo, "question": QUESTION}] * 2, batch_size=2),
    ):
        assert found == expected


def test_lists_of_images_and_of_questions(ask: Any, photo: np.ndarray) -> None:
    images, questions = [photo, picture(9, 9, 3)], ["what?", "a longer question?"]
    table = [[ask(image, question) for image in images] for question in questions]
    assert ask(image=images, question=questions[0], batch_size=2) == table[0]
    assert ask(image=photo, question=questions) == [row[0] for row in table]
    assert ask(image=images, question=questions, batch_size=3) == [answer for row in table for answer in row]


def test_several_answers_are_of_beams(ask: Any, photo: np.ndarray) -> None:
    found = ask(photo, QUESTION, top_k=3)
    assert len({one["answer"] for one in found}) == 3
    assert found == ask(photo, QUESTION, num_beams=3, num_return_sequences=3)
    item = {"image": photo, "question": QUESTION}
    assert list(ask.stream(item, top_k=3)) == [ask.display(found)]
    assert ask(photo, QUESTION, return_tensors=True)[0].keys() == {"answer_token_ids"}


def test_at_a_shell(ask: Any, folder: Path, photo: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(photo))
    options = ["--max-new-tokens", "6", "--temperature", "0", "--set", "min_new_tokens=6", "--device", "cpu"]
    call = ["visual-question-answering", "-m", str(folder), str(path), QUESTION, *options]
    done = CliRunner().invoke(run, call)
    assert (done.exit_code, done.stdout.strip()) == (0, ask(photo, QUESTION)[0]["answer"])
    assert json.loads(CliRunner().invoke(run, [*call, "--json"]).stdout) == ask(photo, QUESTION)


def test_a_model_without_a_chat_template_is_asked_behind_its_placeholder(tmp_path: Path, photo: np.ndarray) -> None:
    length: dict[str, Any] = {"max_new_tokens": 5, "min_new_tokens": 5}
    ask: Any = pipeline("visual-question-answering", model=save_seeing_model(tmp_path, template=None), **length)
    see: Any = pipeline("image-text-to-text", model=tmp_path, **length)
    text = see(photo, f"<image>\n{QUESTION}", return_full_text=False)[0]["generated_text"]
    assert ask(photo, QUESTION) == [{"answer": text.strip()}]


def test_an_encoder_and_a_decoder_begin_with_the_question(tmp_path: Path, photo: np.ndarray) -> None:
    from modelry_registry import get_registry

    tiny: Any = get_registry().get("models", "vision-encoder-decoder").tiny
    values: dict[str, Any] = {"decoder": {**tiny["decoder"], "vocab_size": len(vocabulary())}}
    size: dict[str, Any] = {"size": {"height": 16, "width": 16}}
    save_picture_model(tmp_path, "image-text-to-text", family="vision-encoder-decoder", processor=size, **values)
    write_tokenizer(tmp_path)
    ask: Any = pipeline("visual-question-answering", model=tmp_path, max_new_tokens=5, min_new_tokens=5)
    see: Any = pipeline("image-text-to-text", model=tmp_path, max_new_tokens=5, min_new_tokens=5)
    text = see(photo, QUESTION, return_full_text=False)[0]["generated_text"]
    assert ask(photo, QUESTION) == [{"answer": text.strip()}]


def test_what_is_no_question(ask: Any, photo: np.ndarray) -> None:
    bad: list[tuple[Any, str]] = [
        (photo, "a question is needed beside the image"),
        ({"question": QUESTION}, "an image is needed beside the question"),
        ({"image": photo, "question": 7}, "'question' is a int"),
        ({"image": b"no picture", "question": QUESTION}, "is no image that can be read"),
        ({"image": "http://127.0.0.1/photo.png", "question": QUESTION}, "inside our own network"),
        ([{"role": "user", "content": QUESTION}], "found a chat: that is image-text-to-text"),
    ]
    good = {"image": photo, "question": QUESTION}
    for item, says in bad:
        with pytest.raises(PipelineError, match=says):
            ask([item])
        found = ask([good, item, good], batch_size=3, on_error="return")
        assert isinstance(found[1], PipelineError)
        assert found[0] == found[2] == ask(good)
    with pytest.raises(ParameterError, match="no image"):
        ask(question=QUESTION)
    with pytest.raises(ParameterError, match="given twice"):
        ask(photo, QUESTION, image=photo)
