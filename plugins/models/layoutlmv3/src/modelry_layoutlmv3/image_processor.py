"""Pages for LayoutLMv3: pixel values and, where asked for, the words on them and their boxes."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.image_processor import ImageProcessor, changed
from modelry.preprocessing.images.loading import each_image, load
from modelry.preprocessing.images.parameters import ImageParameters
from modelry.preprocessing.images.published import Published, published, published_name
from modelry.preprocessing.images.words import read_words

PUBLISHED = "LayoutLMv3"


class LayoutLMv3ImageParameters(ImageParameters):
    """Keys of preprocessor_config.json."""

    apply_ocr: bool = False
    ocr_lang: str | None = None
    tesseract_config: str | None = ""

    @classmethod
    def implied(cls, values: Mapping[str, Any]) -> Published:
        """As published, words are read where LayoutLMv3's own file does not say otherwise."""
        name = published_name(values)
        known = published(name or PUBLISHED)
        return Published({"apply_ocr": True, **known.defaults}) if name == PUBLISHED else known


class LayoutLMv3ImageProcessor(ImageProcessor):
    """The kernel's, and Tesseract before it."""

    parameters_class: ClassVar[type[PreprocessorParameters]] = LayoutLMv3ImageParameters

    def __init__(self, **parameters: Any) -> None:
        """
        Args:
            parameters: those of the file; apply_ocr is True unless it is said.

        Raises:
            PreprocessorError: a parameter of the wrong type, or impossible; names it.
        """
        super().__init__(**{"apply_ocr": True, **parameters})

    def __call__(
        self, images: Any, segmentation_maps: Any = None, *, return_tensors: str | None = None, **parameters: Any
    ) -> BatchFeature:
        """As the kernel's. With apply_ocr it gives two more lists with one entry for each page.

        Returns:
            pixel_values (N, C, H, W); `words`, and `boxes`: (left, top, right, bottom) each, from 0 to 1000.

        Raises:
            PreprocessorError: a picture that cannot be used, or Tesseract is not there; says how to install it.
        """
        allow_private = parameters.pop("allow_private", None)
        chosen = cast(LayoutLMv3ImageParameters, changed(self, parameters))
        pictures = [
            load(value, name, format=chosen.input_data_format, allow_private=allow_private)
            for name, value in each_image(images)
        ]
        parameters["input_data_format"] = "channels_last"  # as loaded
        made = super().__call__(
            pictures, segmentation_maps=segmentation_maps, return_tensors=return_tensors, **parameters
        )
        if chosen.apply_ocr:
            settings = chosen.tesseract_config or ""
            read = [read_words(one, language=chosen.ocr_lang, settings=settings) for one in pictures]
            made["words"] = [one.words for one in read]
            made["boxes"] = [one.normalised() for one in read]
        return made

    preprocess = __call__
