"""What a published image processor's name implies: the values its files may leave out, and how it reads some of them.

The name is bookkeeping otherwise: it chooses no code. Plain data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

_SUFFIXES = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor", "VideoProcessor")

_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_NEAREST_EDGES = {"size": {"shortest_edge": 800, "longest_edge": 1333}}
BILINEAR, BICUBIC = 2, 3


@dataclass(frozen=True)
class Published:
    """One published processor.

    `square`: a size that is one number means a square, not the shortest edge. `width_first`: a size that is a list is
    (width, height). `padding`: when and how do_pad fills up: every image to the largest of the batch, at the end; to a
    square before resizing, in the mean's colour; to `size`, centred, before normalising; or to multiples of
    size_divisor, centred, after normalising. `divides_resized`: size_divisor rounds the resized size up.
    `edges_are_pixels`: shortest_edge and longest_edge of `size` bound the number of pixels. `maps_are_masks`: maps to
    train with become a mask for each thing or class in them. `finds_objects`: it is trained with annotations of boxes.
    `masks_as_predicted`: masks that are no boxes' go from the model's size straight to the image's, and not through
    384 x 384.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    square: bool = True
    width_first: bool = False
    padding: Literal["batch", "square-first", "to-size", "to-multiple"] = "batch"
    divides_resized: bool = False
    edges_are_pixels: bool = False
    maps_are_masks: bool = False
    finds_objects: bool = False
    masks_as_predicted: bool = False


def _square(edge: int, resample: int, colours: Mapping[str, Any], **more: Any) -> Published:
    size = {"height": edge, "width": edge}
    return Published({"do_resize": True, "size": size, "resample": resample, "do_normalize": True, **colours, **more})


def _crop(edge: int, crop: int, resample: int, colours: Mapping[str, Any], **more: Any) -> Published:
    values = {"do_resize": True, "size": {"shortest_edge": edge}, "resample": resample, "do_normalize": True}
    crops = {"do_center_crop": True, "crop_size": {"height": crop, "width": crop}}
    return Published({**values, **crops, **colours, **more}, square=False)


def _detection(**more: Any) -> Published:
    values = {"do_resize": True, "resample": BILINEAR, "do_normalize": True, "do_pad": True, **_IMAGENET}
    return Published({**values, **_NEAREST_EDGES}, square=False, finds_objects=True, **more)


_GENERAL = Published()
_MASKS = Published(
    {**_detection().defaults, "size_divisor": 32}, square=False, divides_resized=True, maps_are_masks=True
)
_VIT = _square(224, BILINEAR, _HALF)
_DPT = Published(
    {**_square(384, BICUBIC, _HALF).defaults, "keep_aspect_ratio": False, "ensure_multiple_of": 1},
    padding="to-multiple",
)

_TABLE: Mapping[str, Published] = {
    "Beit": _square(224, BICUBIC, _HALF, crop_size={"height": 224, "width": 224}, do_center_crop=False),
    "Bit": _crop(224, 224, BICUBIC, _CLIP, do_convert_rgb=True),
    "Blip": _square(384, BICUBIC, _CLIP, do_convert_rgb=True),
    "CLIP": _crop(224, 224, BICUBIC, _CLIP, do_convert_rgb=True),
    "ChineseCLIP": _crop(224, 224, BICUBIC, _CLIP, do_convert_rgb=True),
    "ConditionalDetr": _detection(),
    "ConvNext": Published(
        {
            "do_resize": True,
            "size": {"shortest_edge": 384},
            "crop_pct": 224 / 256,
            "resample": BICUBIC,
            "do_normalize": True,
            **_HALF,
        },
        square=False,
    ),
    "DPT": _DPT,
    "DeiT": _square(256, BICUBIC, _HALF, crop_size={"height": 224, "width": 224}, do_center_crop=True),
    "DeformableDetr": _detection(),
    "Detr": _detection(),
    "Donut": Published(
        {
            "do_resize": True,
            "size": {"height": 2560, "width": 1920},
            "resample": BILINEAR,
            "do_thumbnail": True,
            "do_align_long_axis": False,
            "do_pad": True,
            "do_normalize": True,
            **_HALF,
        },
        width_first=True,
        padding="to-size",
    ),
    "Flava": _square(224, BICUBIC, _CLIP, crop_size={"height": 224, "width": 224}, do_center_crop=True),
    "GroundingDino": _detection(),
    "LayoutLMv3": _VIT,
    "Llava": Published(
        _crop(224, 224, BICUBIC, _CLIP, do_convert_rgb=True).defaults, square=False, padding="square-first"
    ),
    "Mask2Former": _MASKS,
    "MaskFormer": replace(_MASKS, masks_as_predicted=True),
    "MobileNetV1": _crop(256, 224, BILINEAR, _HALF),
    "MobileNetV2": _crop(256, 224, BILINEAR, _HALF),
    "MobileViT": _crop(224, 256, BICUBIC, _HALF, do_normalize=False, do_flip_channel_order=True),
    "OwlViT": _square(768, BICUBIC, _CLIP, do_convert_rgb=True),
    "Pvt": _square(224, BICUBIC, _IMAGENET),
    "Qwen2VL": Published(
        {
            "do_resize": True,
            "size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280},
            "resample": BICUBIC,
            "do_normalize": True,
            "do_convert_rgb": True,
            "patch_size": 14,
            "merge_size": 2,
            "temporal_patch_size": 2,
            **_CLIP,
        },
        edges_are_pixels=True,
    ),
    "RTDetr": _square(640, BILINEAR, _IMAGENET, do_normalize=False),
    "Segformer": _square(512, BILINEAR, _IMAGENET),
    "Siglip": Published(_square(224, BICUBIC, _HALF, do_convert_rgb=True).defaults, square=False),
    "ViT": _VIT,
    "VideoMAE": _crop(224, 224, BILINEAR, _HALF),
}

WITH_STEPS_OF_THEIR_OWN = frozenset(
    {
        "Aria", "BridgeTower", "Chameleon", "Cohere2Vision", "CohereCompass", "Cosmos3Edge", "DeepseekOcr2",
        "DeepseekVL", "DeepseekVLHybrid", "EfficientLoFTR", "EfficientNet", "Emu3", "Eomt", "Ernie4_5_VLMoe",
        "Ernie4_5_VL_Moe", "Fuyu", "GLPN", "Gemma3", "Gemma4", "Gemma4Unified", "Glm46V", "Glm4v", "Glm5Next",
        "GlmImage", "Glmga", "GotOcr2", "GraniteDocling", "HunYuanVL", "Idefics", "Idefics2", "Idefics3",
        "ImageGPT", "Janus", "Kosmos2_5", "LayoutLMv2", "Levit", "Lfm2Vl", "LightGlue", "Llama4", "LlavaNext",
        "LlavaOnevision", "MiniCPMV4_6", "Mllama", "Nougat", "OneFormer", "Ovis2", "Owlv2", "PaddleOCRVL",
        "Perceiver", "PerceptionLM", "Phi4Multimodal", "Pix2Struct", "Pixtral", "PoolFormer", "Qwen2VL", "Sam",
        "Sam2", "Sam3", "SegGpt", "Siglip2", "SmolVLM", "SuperGlue", "SuperPoint", "Swin2SR", "TextNet", "Tvp",
        "VideoLlama3", "Vilt", "VitMatte", "VitPose", "Vivit", "Yolos", "ZoeDepth",
    }
)  # fmt: skip
"""Processors that do what no key of their files says; their families bring a processor of their own."""


def published_name(values: Mapping[str, Any]) -> str:
    """What the files call the processor, without its suffix: "ViT" of ViTImageProcessorFast and ViTFeatureExtractor."""
    keys = ("image_processor_type", "video_processor_type", "feature_extractor_type")
    name = next((values[key] for key in keys if isinstance(values.get(key), str)), "")
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def published(name: str) -> Published:
    """What the name implies; nothing for a name that is not known."""
    return _TABLE.get(name, _GENERAL)
