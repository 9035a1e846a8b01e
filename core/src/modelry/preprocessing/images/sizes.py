"""How large an image becomes. Pure functions of (height, width); they round as the published processors do."""

import math
from collections.abc import Mapping

from modelry.errors import PreprocessorError

Extent = tuple[int, int]
"""(height, width) in pixels."""


def shortest_edge(extent: Extent, edge: int) -> Extent:
    """The shorter edge becomes `edge`, the other keeps the ratio, rounded down."""
    height, width = extent
    if width <= height:
        return int(edge * height / width), edge
    return edge, int(edge * width / height)


def between_edges(extent: Extent, shortest: int, longest: int) -> Extent:
    """The shorter edge becomes `shortest`, or less where the longer one would pass `longest`."""
    height, width = extent
    low, high = float(min(extent)), float(max(extent))
    exact = float(shortest)
    if high / low * shortest > longest:
        exact = longest * low / high
        shortest = round(exact)
    if (height <= width and height == shortest) or (width <= height and width == shortest):
        return extent
    if width < height:
        return int(exact * height / width), shortest
    return shortest, int(exact * width / height)


def longest_edge(extent: Extent, edge: int) -> Extent:
    """The longer edge becomes `edge`, the other keeps the ratio, rounded down, but is at least one pixel."""
    height, width = extent
    if height >= width:
        return edge, max(int(edge * width / height), 1)
    return max(int(edge * height / width), 1), edge


def inside(extent: Extent, most: Extent) -> Extent:
    """As large as fits into `most`, smaller images grow; rounded down."""
    height, width = extent
    scale = min(most[0] / height, most[1] / width)
    return int(height * scale), int(width * scale)


def pixel_count(extent: Extent, factor: int, fewest: int, most: int) -> Extent:
    """Both edges are multiples of `factor`, the number of pixels lies between `fewest` and `most`, the ratio is nearly
    kept. Wang et al. 2024 (Qwen2-VL), https://arxiv.org/abs/2409.12191.

    Raises:
        PreprocessorError: one edge is more than 200 times the other.
    """
    height, width = extent
    if max(extent) > 200 * min(extent):
        raise PreprocessorError(f"has {height} × {width} pixels: one edge is more than 200 times the other")
    tall, wide = round(height / factor) * factor, round(width / factor) * factor
    if tall * wide > most:
        shrink = math.sqrt(height * width / most)
        return tuple(max(factor, math.floor(edge / shrink / factor) * factor) for edge in extent)  # type: ignore[return-value]  # two of two
    if tall * wide < fewest:
        grow = math.sqrt(fewest / (height * width))
        return math.ceil(height * grow / factor) * factor, math.ceil(width * grow / factor) * factor
    return tall, wide


def multiples(extent: Extent, wanted: Extent, *, keep_ratio: bool, multiple: int) -> Extent:
    """Near `wanted`, each edge a multiple. Ranftl et al. 2021 (DPT), https://arxiv.org/abs/2103.13413.

    Args:
        keep_ratio: scale both edges by the one of the two scales that is nearer to 1.
    """
    tall, wide = wanted[0] / extent[0], wanted[1] / extent[1]
    if keep_ratio:
        tall = wide = wide if abs(1 - wide) < abs(1 - tall) else tall
    return round(tall * extent[0] / multiple) * multiple, round(wide * extent[1] / multiple) * multiple


def thumbnail(extent: Extent, room: Extent) -> Extent:
    """Shrunk to fit into `room`; never grown. Kim et al. 2022 (Donut), https://arxiv.org/abs/2111.15664."""
    height, width = min(extent[0], room[0]), min(extent[1], room[1])
    if (height, width) == extent:
        return extent
    if extent[0] > extent[1]:
        return height, int(extent[1] * height / extent[0])
    if extent[1] > extent[0]:
        return int(extent[0] * width / extent[1]), width
    return height, width


def resized(extent: Extent, size: Mapping[str, int], *, factor: int = 1) -> Extent:
    """What one of the published forms of `size` makes of an image.

    Args:
        factor: where `size` bounds the number of pixels, edges become multiples of it.
    """
    if "height" in size:
        return size["height"], size["width"]
    if "max_height" in size:
        return inside(extent, (size["max_height"], size["max_width"]))
    if "max_pixels" in size:
        return pixel_count(extent, factor, size["min_pixels"], size["max_pixels"])
    if "shortest_edge" not in size:
        return longest_edge(extent, size["longest_edge"])
    if "longest_edge" in size:
        return between_edges(extent, size["shortest_edge"], size["longest_edge"])
    return shortest_edge(extent, size["shortest_edge"])


def rounded_up(extent: Extent, divisor: int) -> Extent:
    """The next multiples of `divisor`."""
    return math.ceil(extent[0] / divisor) * divisor, math.ceil(extent[1] / divisor) * divisor
