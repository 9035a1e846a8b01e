"""Videos in chats and beside texts, alone and beside images, in batches, and broken ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modelry.errors import PipelineError
from modelry_testing.toys.pictures import encoded_film, film, picture

FILM = film(4, 16, 24)
TEXT = {"type": "text", "text": "what"}


def asked(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*parts, TEXT]}]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film as a file whose frames are kept as they are."""
    pytest.importorskip("av")
    found = tmp_path_factory.mktemp("films") / "film.mkv"
    found.write_bytes(encoded_film(FILM))
    return found


def test_every_form_of_a_video(watch: Any, path: Path) -> None:
    expected = watch(asked({"type": "video", "video": str(path)}), return_full_text=False)[0]["generated_text"]
    forms: list[dict[str, Any]] = [
        {"text": asked({"type": "video", "path": path})},
        {"text": asked({"type": "video", "video": FILM})},
        {"text": asked({"type": "video"}), "videos": FILM},
        {"text": asked({"type": "video"}), "videos": [[Image.fromarray(frame) for frame in FILM]]},
        {"text": "<|vision_start|><|video_pad|><|vision_end|>what", "videos": path},
        {"inputs": {"video": str(path), "text": "<|vision_start|><|video_pad|><|vision_end|>what"}},
    ]
    for named in forms:
        assert watch(**named, return_full_text=False)[0]["generated_text"] == expected


INPUTS = {"tokenize": True, "return_dict": True, "return_tensors": "pt", "add_generation_prompt": True}


def test_it_is_what_the_model_answers(watch: Any) -> None:
    chat = asked({"type": "video", "video": FILM}, {"type": "image", "image": picture(16, 40)})
    inputs = watch.processor.apply_chat_template(chat, **INPUTS)
    assert "video_grid_thw" in inputs
    assert "image_grid_thw" in inputs
    ids = watch.model.generate(**inputs, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    found = watch(chat, return_tensors=True)[0]["generated_token_ids"]
    assert found == ids[0].tolist()
    other = asked({"type": "video", "video": FILM[::-1]}, {"type": "image", "image": picture(16, 40)})
    with torch.inference_mode():
        changed = watch.processor.apply_chat_template(other, **INPUTS)
        assert not torch.equal(watch.model(**changed).logits, watch.model(**inputs).logits)


def test_batches_of_pictures_of_many_sizes(watch: Any) -> None:
    items = [
        asked({"type": "image", "image": picture(16, 24)}),
        asked({"type": "image", "image": picture(40, 16, 1)}, {"type": "image", "image": picture(16, 16, 2)}),
        asked({"type": "video", "video": FILM}),
        asked({"type": "video", "video": film(8, 24, 16)}, {"type": "image", "image": picture(20, 30, 3)}),
        asked(),
    ]
    assert watch(items, batch_size=5) == [watch(item) for item in items]
    assert "".join(watch.stream(items[3])) == watch.display(watch(items[3], return_full_text=False))
    beams = {"num_beams": 2, "num_return_sequences": 2}
    assert watch(items[:4], batch_size=4, **beams) == [watch(item, **beams) for item in items[:4]]


def test_videos_that_cannot_be(watch: Any, path: Path, tmp_path: Path) -> None:
    words = tmp_path / "film.mp4"
    words.write_text("no film")
    bad: list[tuple[Any, str]] = [
        (asked({"type": "video", "video": words}), "is no video that can be read"),
        (asked({"type": "video", "video": path.read_bytes()[:200]}), "no video|no frames|without frames|damaged"),
        (asked({"type": "video", "url": "http://127.0.0.1/film.mp4"}), r"videos\[0\]: .* inside our own network"),
        ({"videos": FILM, "text": "what"}, r"0 placeholders '<\|video_pad\|>', and 1 video inputs"),
        ({"messages": asked({"type": "video"}), "videos": [path, path]}, "1 parts of type 'video' .* and 2 video"),
        (asked({"type": "audio", "audio": np.zeros(9)}), "takes no audio inputs"),
    ]
    for item, says in bad:
        with pytest.raises(PipelineError, match=says):
            watch([item])
