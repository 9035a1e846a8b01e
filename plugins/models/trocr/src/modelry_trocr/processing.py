"""Lines of text as images, and what they say, in one call."""

from typing import Any

from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.processor import TEXT_AND_IMAGE, Processor


class TrOCRProcessor(Processor):
    """A tokenizer and an image processor; beside images, texts are labels."""

    parts = TEXT_AND_IMAGE

    def __call__(  # type: ignore[override]  # images come first, as published: processor(line)
        self, images: Any = None, text: Any = None, videos: Any = None, audio: Any = None, **options: Any
    ) -> BatchFeature:
        """Turn images, and what is to be read in them, into model inputs.

        Args:
            images: as the image processor takes them.
            text: one for each image.
            videos, audio: nothing; TrOCR takes neither.
            options: see `Processor`.

        Returns:
            pixel_values, and labels of texts beside them; or what the tokenizer makes of texts alone.

        Raises:
            PreprocessorError: nothing was given, or what TrOCR does not take.
        """
        found = super().__call__(text=text, images=images, videos=videos, audio=audio, **options)
        if images is None or text is None:
            return found
        return BatchFeature({"pixel_values": found["pixel_values"], "labels": found["input_ids"]})
