"""Pages, and the texts that Donut reads from them, in one call and back."""

from typing import Any

from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.processor import TEXT_AND_IMAGE, Processor
from modelry_donut_swin.fields import read_fields


class DonutProcessor(Processor):
    """A tokenizer and an image processor; a text is what the model begins its answer with."""

    parts = TEXT_AND_IMAGE

    def __call__(  # type: ignore[override]  # images come first, as published: processor(page)
        self, images: Any = None, text: Any = None, videos: Any = None, audio: Any = None, **options: Any
    ) -> BatchFeature:
        """Turn pages, and texts about them, into model inputs.

        Args:
            images: as the image processor takes them.
            text: the task's prompt, alone or for each page; the tokenizer adds nothing to a text beside a page.
            videos, audio: nothing; Donut takes neither.
            options: see `Processor`.

        Returns:
            pixel_values; input_ids, which are the labels too where there are both.

        Raises:
            PreprocessorError: nothing was given, or what Donut does not take.
        """
        both = images is not None and text is not None
        if both:
            options.setdefault("add_special_tokens", False)
        found = super().__call__(text=text, images=images, videos=videos, audio=audio, **options)
        if both:
            found["labels"] = found["input_ids"]
        return found

    def token2json(self, tokens: str) -> dict[str, Any] | list[dict[str, Any]]:
        """The fields in what the model wrote; see `modelry_donut_swin.fields.read_fields`."""
        return read_fields(tokens, self._tokenizer().get_added_vocab())
