"""Chats and texts with pictures as transformers' pipeline answers them, every form of an item, batches, and URLs."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry import AutoModelForImageTextToText, pipeline
from modelry.errors import ParameterError, PipelineError
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.pictures import picture
from modelry_testing.toys.seeing_models import save_seeing_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer


def chat(image: Any, text: str = "what") -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": text}]}]


def new(answer: Any) -> str:
    (entry,) = answer
    return str(entry["generated_text"])


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_as_transformers_has_it(see: Any, folder: Path, photo: np.ndarray) -> None:
    theirs: Any = transformers.pipeline("image-text-to-text", model=str(folder), device="cpu")
    options = {"generate_kwargs": {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}}
    image = Image.fromarray(photo)
    asked = chat(image)
    begun = [*asked, {"role": "assistant", "content": [{"type": "text", "text": "It is"}]}]
    told: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {"text": asked}),
        ((), {"text": begun}),
        ((), {"text": begun, "return_full_text": False}),
        (([asked, begun],), {}),
        (({"images": image, "text": "<image>what"},), {}),
        ((image,), {"text": "<image>what", "return_full_text": False}),
        ((), {"text": "text alone"}),
    ]
    for arguments, named in told:
        assert see(*arguments, **named) == theirs(*arguments, **named, **options)
    (one,), (other,) = (run(image, text="<image>x", return_tensors=True, **more) for run, more in
                        ((see, {}), (theirs, options)))  # fmt: skip
    assert one["generated_token_ids"] == other["generated_token_ids"].tolist()


def test_every_form_of_an_item(see: Any, photo: np.ndarray, path: str) -> None:
    expected = new(see(chat(photo), return_full_text=False))
    content = [{"type": "image"}, {"type": "text", "text": "what"}]
    empty = [{"role": "user", "content": content}]
    asked: list[dict[str, Any]] = [
        {"text": chat(path)},
        {"images": chat(Path(path))},
        {"text": empty, "images": path},
        {"text": empty, "images": [photo]},
        {"inputs": {"messages": empty, "image": Image.fromarray(photo)}},
        {"inputs": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": path}}, content[1]]}]},
    ]
    for named in asked:
        assert new(see(**named, return_full_text=False)) == expected
    plain = new(see(photo, "<image>what", return_full_text=False))
    for item in ({"image": path, "text": "<image>what"}, {"images": [photo], "prompt": "<image>what"}):
        assert new(see(item, return_full_text=False)) == plain


def test_messages_of_text_stand_beside_those_with_pictures(see: Any, photo: np.ndarray) -> None:
    begun = [{"role": "system", "content": "be kind"}, *chat(photo), {"role": "assistant", "content": "It is"}]
    ids = see(begun, return_tensors=True)[0]["generated_token_ids"]
    text = see.needed_tokenizer().decode(ids)
    assert text.startswith("system: be kinduser: <image><image><image><image>whatassistant: It is")
    assert see(begun)[0]["generated_text"][-1]["content"].startswith("It is")


def test_lists_of_texts_with_a_list_of_images_each(see: Any, photo: np.ndarray) -> None:
    other = picture(9, 9, 5)
    texts, images = ["<image>a", "<image>b<image>"], [photo, [other, photo]]
    found = see(text=texts, images=images, batch_size=2)
    assert found == [see(text=text, images=image)[0] for text, image in zip(texts, images, strict=True)]
    with pytest.raises(ParameterError, match="images has 1 entries for 2 texts"):
        see(text=texts, images=[photo])


def test_batches_with_and_without_pictures(see: Any, photo: np.ndarray) -> None:
    items = [
        chat(photo),
        [{"role": "user", "content": "nothing to see here"}],
        chat(picture(30, 7, 4), "a longer question"),
    ]
    assert see(items, batch_size=3) == [see(item) for item in items]
    assert list(see(iter(items), batch_size=2)) == see(items)


def test_several_sequences_and_token_ids(see: Any, photo: np.ndarray) -> None:
    found = see([chat(photo), chat(photo, "a longer one")], batch_size=2, num_beams=3, num_return_sequences=2)
    assert [len(one) for one in found] == [2, 2]
    assert found[0] == see(chat(photo), num_beams=3, num_return_sequences=2)


def test_said_twice(see: Any, photo: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="max_new_tokens is said twice"):
        see(chat(photo), max_new_tokens=3, generate_kwargs={"max_new_tokens": 3})
    with pytest.raises(ParameterError, match="images are given twice"):
        see(photo, images=photo, text="<image>")
    with pytest.raises(ParameterError, match="was given nothing"):
        see()


def test_the_task_follows_from_the_model(folder: Path) -> None:
    assert pipeline(model=folder, device="cpu").task == "image-text-to-text"


def test_a_model_of_an_encoder_and_a_decoder(tmp_path: Path, photo: np.ndarray, path: str) -> None:
    """Has neither processor nor placeholders: it reads one image, and goes on with a text."""
    from modelry_registry import get_registry

    tiny: Any = get_registry().get("models", "vision-encoder-decoder").tiny
    decoder = {**tiny["decoder"], "vocab_size": len(vocabulary())}
    save_picture_model(
        tmp_path,
        "image-text-to-text",
        family="vision-encoder-decoder",
        processor={"size": {"height": 16, "width": 16}},
        decoder=decoder,
    )
    write_tokenizer(tmp_path)
    read: Any = pipeline("image-text-to-text", model=tmp_path, device="cpu", max_new_tokens=5, min_new_tokens=5)
    alone = read(path)
    assert alone == read(images=photo)
    assert alone[0]["input_text"] == ""
    begun = read(photo, "the page")
    assert begun[0]["generated_text"].startswith("the page")
    others = [{"image": picture(30, 20, 2), "text": "no"}, photo, {"image": photo, "text": "the page"}]
    assert read(others, batch_size=3) == [read(one) for one in others]
    assert list(read.items_of(iter([path, path]))) == [{"image": path}, {"image": path}]
    for item, says in (({"images": [photo, photo]}, "reads one image"), (chat(photo), "reads no chats")):
        with pytest.raises(PipelineError, match=says):
            read(item)


def test_a_model_that_was_made_here(folder: Path, see: Any, photo: np.ndarray) -> None:
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    made: Any = pipeline(
        "image-text-to-text", model=model, processor=see.processor, image_processor=see.image_processor
    )
    assert torch.equal(made.model.lm_head.weight, see.model.lm_head.weight)
    assert made(chat(photo), max_new_tokens=3) == see(chat(photo), max_new_tokens=3, min_new_tokens=0)


@pytest.fixture
def address(path: str) -> Iterator[str]:
    """Of a server on this machine: /photo.png, and /slow, which never answers."""
    data, over = Path(path).read_bytes(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                over.wait(5)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


def test_urls(see: Any, photo: np.ndarray, address: str) -> None:
    url = f"{address}/photo.png"
    expected = new(see(chat(photo), return_full_text=False))
    assert new(see(chat(url), allow_private=True, return_full_text=False)) == expected
    assert see(chat(url), allow_private=True)[0]["input_text"] == chat(url)
    plain = see(images=photo, text="<image>what")
    assert see(images=url, text="<image>what", allow_private=True, timeout=5) == plain
    for item in (chat(url), {"images": url, "text": "<image>what"}):
        with pytest.raises(PipelineError, match=r"images\[0\]: .* inside our own network"):
            see(item)
    with pytest.raises(PipelineError, match=r"did not arrive within 0\.2 seconds"):
        see(chat(f"{address}/slow"), allow_private=True, timeout=0.2)


def test_no_template(tmp_path: Path, photo: np.ndarray) -> None:
    see: Any = pipeline("image-text-to-text", model=save_seeing_model(tmp_path, template=None), max_new_tokens=3)
    with pytest.raises(PipelineError, match="has no chat template"):
        see(chat(photo))
    (item,) = see.items_of(iter(["photo.jpg", "what is it"]))
    assert item == {"images": ["photo.jpg"], "text": "<image>\nwhat is it"}
