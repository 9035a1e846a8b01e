"""Chats and texts with images and videos in, their continuations out."""

from collections.abc import Mapping
from typing import Any

from modelry.errors import ParameterError
from modelry.pipelines.chats import is_chat
from modelry.pipelines.image_text import ImageTextParameters, ImageTextPipeline
from modelry.pipelines.seen_prompts import SeenPrompt, question_about


class ImageTextToTextPipeline(ImageTextPipeline[ImageTextParameters]):
    """Answer in chats that carry images and videos, or go on with texts about them.

    Called with one item or many (`modelry.pipelines.seen_prompts` says what an item may be), or with `images=`,
    `videos=` and `text=`. A chat is answered by `[{"input_text": chat, "generated_text": chat and answer}]`, one entry
    per returned sequence, a text by the text and its continuation; without the prompt where `return_full_text=False`.
    """

    def __call__(
        self, inputs: Any = None, text: Any = None, *, images: Any = None, videos: Any = None, **options: Any
    ) -> Any:
        """As every pipeline; of texts given by name, the answers to all stand in one list, as published.

        Args:
            inputs: an item, a list of items, a data set, anything that iterates; or the images, beside `text`.
            images, videos: of the text: one or a list. Of a list of texts: a list with as many entries, each one or a
                list. Of a chat: what its parts that carry nothing stand for, in order.
            text: a text, a chat, or a list of either.
            options: batch_size, on_error, progress, and the task's parameters.

        Raises:
            PipelineError: names the item that failed; its cause says why.
            ParameterError: a keyword is not the task's, or the arguments do not fit together.
        """
        if text is None and videos is None and images is None:
            if inputs is None:
                raise ParameterError(f"{self.task} was given nothing: pass images=, videos=, text= or a chat")
            return super().__call__(inputs, **options)
        if inputs is not None:
            if images is not None:
                raise ParameterError("images are given twice: as the first argument and by name")
            images = inputs
        if text is None and videos is None:
            return super().__call__(images, **options)
        items = _items(images, videos, text)
        answers = super().__call__(items, **options)
        return answers if is_chat(text) or not isinstance(items, list) or is_chat(text[0]) else _in_one_list(answers)

    def shell_item(self, prompt: SeenPrompt) -> dict[str, Any]:
        return question_about(self._processor, prompt.text or "", prompt.images, prompt.videos).as_item()

    def entry(self, told: Mapping[str, Any], generated: dict[str, Any]) -> dict[str, Any]:
        return {"input_text": told.get("chat", told.get("text")), **generated}


def _in_one_list(answers: list[Any]) -> list[Any]:
    """The answers to several texts, of which each may have more than one; what failed stands where its answer would."""
    return [one for found in answers for one in (found if isinstance(found, list) else [found])]


def _items(images: Any, videos: Any, text: Any) -> Any:
    """One item, or a list of them, of what is said by name."""
    if not isinstance(text, list | tuple) or is_chat(text):
        return _item(images, videos, text)
    columns = []
    for name, values in (("images", images), ("videos", videos)):
        if values is not None and (not isinstance(values, list | tuple) or len(values) != len(text)):
            found = f"{len(values)} entries" if isinstance(values, list | tuple) else type(values).__name__
            raise ParameterError(f"{name} has {found} for {len(text)} texts: give a list with one entry for each")
        columns.append([None] * len(text) if values is None else values)
    return [_item(*row) for row in zip(*columns, text, strict=True)]


def _item(images: Any, videos: Any, text: Any) -> dict[str, Any]:
    named = {"images": images, "videos": videos, ("messages" if is_chat(text) else "text"): text}
    return {name: value for name, value in named.items() if value is not None}
