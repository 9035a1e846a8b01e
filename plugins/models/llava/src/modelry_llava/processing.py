"""Texts with images for LLaVA: each <image> becomes as many as the image has parts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelry.errors import PreprocessorError
from modelry.preprocessing.processor import TEXT_AND_IMAGE, Processor


class LlavaProcessor(Processor):
    """A tokenizer and an image processor. processor_config.json says patch_size, vision_feature_select_strategy and
    num_additional_image_tokens, as the model has them; its image_token replaces <image>.
    """

    parts = TEXT_AND_IMAGE
    placeholders: ClassVar[Mapping[str, str]] = {"image": "<image>"}

    def expansions(self, kind: str, inputs: Mapping[str, Any]) -> Sequence[str]:
        """A placeholder for each patch, and for the encoder's other tokens that the model sees.

        Raises:
            PreprocessorError: nothing says how large a patch is.
        """
        side, token = self.settings.get("patch_size"), self.placeholder(kind)
        if not isinstance(side, int) or side < 1 or token is None:
            raise PreprocessorError(
                f"processor_config.json says patch_size {side!r}; without the image encoder's nobody knows how many "
                "tokens an image has: AutoProcessor.from_pretrained(..., patch_size=14)"
            )
        others = int(self.settings.get("num_additional_image_tokens") or 0)
        dropped = self.settings.get("vision_feature_select_strategy") == "default"
        sizes = [pixels.shape[-2:] for pixels in inputs["pixel_values"]]
        return [token * ((height // side) * (width // side) + others - dropped) for height, width in sizes]
