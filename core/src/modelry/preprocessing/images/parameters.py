"""What a preprocessor_config.json means for images. Plain data: it reads and checks, and touches no image."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.images.published import Published, published, published_name

RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Names of the filters that Pillow numbers."""
_SIZES = (
    {"height", "width"},
    {"shortest_edge"},
    {"longest_edge"},
    {"shortest_edge", "longest_edge"},
    {"max_height", "max_width"},
    {"min_pixels", "max_pixels"},
)
_OLD_NAMES = {
    "size_divisibility": "size_divisor",
    "reduce_labels": "do_reduce_labels",
    "align_long_axis": "do_align_long_axis",
    "pad_and_return_pixel_mask": "do_pad",
}


def _filter_number(value: Any) -> Any:
    if isinstance(value, str):
        if value.lower() not in RESAMPLING:
            raise ValueError(f"is no resampling filter; use {', '.join(RESAMPLING)} or a number from 0 to 5")
        return RESAMPLING[value.lower()]
    return value


def _per_channel(value: Any) -> Any:
    return [value] if isinstance(value, int | float) else value


Size = dict[str, Annotated[int, Field(gt=0)]]
Channels = Annotated[list[float], BeforeValidator(_per_channel)]


class ImageParameters(PreprocessorParameters):
    """Keys of preprocessor_config.json; an absent key has the value that the published processor gives it."""

    image_processor_type: str | None = Field(None, description="which published processor wrote the file")
    do_convert_rgb: bool | None = Field(None, description="None converts where the mean has another channel count")
    do_resize: bool = False
    size: Size | None = None
    resample: Annotated[int, BeforeValidator(_filter_number)] = Field(2, ge=0, le=5, description="Pillow's number")
    crop_pct: float | None = Field(None, gt=0, description="ConvNeXT: resize to edge / crop_pct, then crop to edge")
    keep_aspect_ratio: bool | None = Field(None, description="DPT: scale both edges by what changes less")
    ensure_multiple_of: int | None = Field(None, gt=0, description="DPT: edges after resizing are multiples of it")
    do_align_long_axis: bool = Field(False, description="Donut: turn the image so that its long edge is size's")
    do_thumbnail: bool = Field(False, description="Donut: then shrink it to fit into size")
    random_padding: bool = Field(False, description="Donut, to train on: do_pad puts it anywhere, not in the middle")
    patch_size: int | dict[str, int] | None = None
    merge_size: int | None = Field(None, gt=0)
    do_center_crop: bool = False
    crop_size: Size | None = None
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = False
    image_mean: Channels | None = None
    image_std: Channels | None = None
    do_pad: bool = False
    pad_size: Size | None = None
    size_divisor: int | None = Field(None, ge=0, description="0 is none, where None takes the published one")
    do_flip_channel_order: bool = Field(False, description="MobileViT: blue first")
    format: Literal["coco_detection", "coco_panoptic"] | None = Field(None, description="of annotations")
    do_convert_annotations: bool | None = Field(
        None, description="boxes as parts of the image; None does it where values are normalised"
    )
    do_reduce_labels: bool = Field(False, description="label maps: 0 is no class and becomes 255, the others move down")
    ignore_index: int | None = Field(None, description="Mask2Former: what stands in a map where nothing counts")
    input_data_format: Literal["channels_first", "channels_last"] | None = None
    do_crop_margin: Literal[False] = False
    do_image_splitting: Literal[False] = False
    do_split_image: Literal[False] = False
    rescale_offset: Literal[False] = False
    do_color_quantize: Literal[False] = False
    _published: Published = PrivateAttr(default_factory=Published)

    @property
    def published(self) -> Published:
        """What the published processor's name implies."""
        return self._published

    @classmethod
    def implied(cls, values: Mapping[str, Any]) -> Published:
        """What the published processor's name among the values implies."""
        return published(published_name(values))

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        values = {key: value for key, value in given.items() if value is not None}
        for old, new in _OLD_NAMES.items():
            if old in values:
                values.setdefault(new, values.pop(old))
        old_type = values.pop("feature_extractor_type", None)
        if old_type is not None:
            values.setdefault("image_processor_type", str(old_type).replace("FeatureExtractor", "ImageProcessor"))
        known = cls.implied(values)
        for key in ("size", "crop_size", "pad_size"):
            if key in values:
                values[key] = _size(key, values[key], values, known)
        _bounds(values)
        for key, value in known.defaults.items():
            values.setdefault(key, value)
        values.setdefault("do_resize", "size" in values)
        values.setdefault("do_center_crop", "crop_size" in values)
        values.setdefault("do_normalize", "image_mean" in values)
        fields = cls.model_fields
        empty = [key for key in given if given[key] is None and (key not in fields or fields[key].default is None)]
        return {**dict.fromkeys(empty), **values}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._published = self.implied(self.__dict__)
        if self.do_resize and self.size is None:
            raise ValueError("do_resize is on, but there is no size")
        if self.do_center_crop and (self.crop_size is None or set(self.crop_size) != {"height", "width"}):
            raise ValueError(f"do_center_crop is on, and crop_size is {self.crop_size}; give its height and width")
        if self.do_normalize and (self.image_mean is None or self.image_std is None):
            raise ValueError("do_normalize is on, but image_mean or image_std is missing")
        if self.do_normalize and 0 in (self.image_std or ()):
            raise ValueError(f"image_std is {self.image_std}: nothing can be divided by 0")
        if (self.do_thumbnail or self.do_align_long_axis) and set(self.size or ()) != {"height", "width"}:
            raise ValueError(f"do_thumbnail and do_align_long_axis need a size of height and width, not {self.size}")
        if self.pad_size is not None and set(self.pad_size) != {"height", "width"}:
            raise ValueError(f"pad_size is {self.pad_size}; give its height and width")
        return self


def _size(key: str, given: Any, values: dict[str, Any], known: Published) -> Any:
    """One of the published forms of a size as a dictionary; the old ones are a number and a list."""
    if isinstance(given, bool) or not isinstance(given, int | list | tuple | dict):
        return given  # the field says what is wrong with it
    if isinstance(given, int):
        if key != "size" or known.square:
            return {"height": given, "width": given}
        longest = values.pop("max_size", (known.defaults.get("size") or {}).get("longest_edge"))
        return {"shortest_edge": given} if longest is None else {"shortest_edge": given, "longest_edge": longest}
    if isinstance(given, list | tuple):
        if len(given) == 1:
            return _size(key, given[0], values, known)
        if len(given) != 2:
            raise ValueError(f"{key} is {given!r:.60}; a list is [height, width]")
        first, second = ("width", "height") if known.width_first and key == "size" else ("height", "width")
        return {first: given[0], second: given[1]}
    found = {name: edge for name, edge in given.items() if edge is not None}
    if set(found) not in _SIZES:
        forms = "; ".join(" and ".join(sorted(names)) for names in _SIZES)
        raise ValueError(f"{key} is {given!r:.80}; it has one of these sets of keys: {forms}")
    return found


def _bounds(values: dict[str, Any]) -> None:
    """min_pixels and max_pixels beside `size`, as older files of Qwen2-VL have them, belong into it."""
    fewest, most = values.pop("min_pixels", None), values.pop("max_pixels", None)
    if fewest is None and most is None:
        return
    size = {"shortest_edge": "min_pixels", "longest_edge": "max_pixels"}
    found = {size.get(name, name): edge for name, edge in (values.get("size") or {}).items()}
    found.setdefault("min_pixels", 56 * 56)
    found.setdefault("max_pixels", 28 * 28 * 1280)
    found |= {name: edge for name, edge in (("min_pixels", fewest), ("max_pixels", most)) if edge is not None}
    values["size"] = {name: found[name] for name in ("min_pixels", "max_pixels")}
