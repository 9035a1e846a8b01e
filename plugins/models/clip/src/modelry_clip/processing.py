"""Texts and images for CLIP in one call."""

from modelry.preprocessing.processor import TEXT_AND_IMAGE, Processor


class CLIPProcessor(Processor):
    """A tokenizer and an image processor; images stand beside the texts."""

    parts = TEXT_AND_IMAGE
