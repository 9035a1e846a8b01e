"""Pages and words for LayoutLMv3 in one call."""

from collections.abc import Mapping
from typing import Any, ClassVar

from modelry.errors import PreprocessorError
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.preprocessor import Preprocessor
from modelry.preprocessing.processor import Processor
from modelry_layoutlmv3.image_processor import LayoutLMv3ImageProcessor
from modelry_layoutlmv3.tokenizer import LayoutLMv3Tokenizer


class LayoutLMv3Processor(Processor):
    """An image processor, which may read the words of a page, and a tokenizer of words with boxes."""

    parts: ClassVar[Mapping[str, type[Preprocessor] | str]] = {
        "image_processor": LayoutLMv3ImageProcessor,
        "tokenizer": LayoutLMv3Tokenizer,
    }
    image_processor: LayoutLMv3ImageProcessor
    tokenizer: LayoutLMv3Tokenizer

    def __call__(  # type: ignore[override]  # the ecosystem calls this processor with the page first
        self,
        images: Any,
        text: Any = None,
        text_pair: Any = None,
        boxes: Any = None,
        word_labels: Any = None,
        *,
        return_tensors: str | None = None,
        **options: Any,
    ) -> BatchFeature:
        """Turn pages into model inputs.

        Args:
            images: one page, or a list of pages.
            text: with apply_ocr, nothing or a question for each page; without, the words of each page, or questions.
            text_pair: the words that questions are about.
            boxes: of words that are given; see `LayoutLMv3Tokenizer`.
            word_labels: of words that are given.
            options: of the tokenizer.

        Returns:
            The tokenizer's inputs and pixel_values, (rows, C, H, W): one for each row of tokens.

        Raises:
            PreprocessorError: words are given and read at once, or neither, or they do not fit the pages.
        """
        reads = self.image_processor.parameters.apply_ocr  # type: ignore[attr-defined]  # of its own parameters class
        if reads and (boxes is not None or word_labels is not None):
            raise PreprocessorError(
                "boxes and word_labels are of words that are given, and apply_ocr reads them from the page: leave "
                "them out, or set apply_ocr to false in the image processor's settings"
            )
        if not reads and (text is None or boxes is None):
            raise PreprocessorError("apply_ocr is false, so words are not read from the page: give text= and boxes=")
        pages = self.image_processor(images, return_tensors=return_tensors)
        if reads:
            boxes = pages["boxes"]
            if text is None:
                text = pages["words"]
            elif text_pair is None:
                text, text_pair = [text] if isinstance(text, str) else text, pages["words"]
        inputs = self.tokenizer(
            text, text_pair, boxes=boxes, word_labels=word_labels, return_tensors=return_tensors, **options
        )
        pixels = pages["pixel_values"]
        if options.get("return_overflowing_tokens"):
            places = [int(one) for one in inputs["overflow_to_sample_mapping"]]
            pixels = pixels[places] if return_tensors else [pixels[place] for place in places]
        inputs["pixel_values"] = pixels
        return inputs
