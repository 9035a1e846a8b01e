"""The contract of an image processor: every form of a picture is the same picture, and what is none is refused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from modelry_testing.contract import check
from modelry_testing.preprocessor_contract import PreprocessorContract
from modelry_testing.preprocessors import seeing
from modelry_testing.toys.pictures import picture

_RUNS = ("test_registered", "test_loads", "test_prepares")


class ImageProcessorContract(PreprocessorContract):
    """What every image processor keeps. It needs the packages of `modelry-core[vision]`.

    class TestViTImageProcessor(ImageProcessorContract):
        model_type = "vit"
        values = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    """

    role = "image-processor"
    values: ClassVar[Mapping[str, Any]] = {"size": {"height": 32, "width": 32}}
    """Of preprocessor_config.json."""
    extents: ClassVar[Sequence[tuple[int, int]]] = ((40, 61), (64, 48), (33, 35))
    """Heights and widths of the pictures. Where a batch is padded to its largest, give three equal ones."""

    def write_files(self, folder: Path) -> None:
        """preprocessor_config.json with `values`."""
        (folder / "preprocessor_config.json").write_text(json.dumps(dict(self.values)))

    def items(self) -> Sequence[np.ndarray]:
        """Three pictures (height, width, 3)."""
        return [picture(*extent, seed) for seed, extent in enumerate(self.extents)]

    @check(after=_RUNS)
    def test_forms(self) -> None:
        """Arrays, tensors, PIL images, files, bytes and base64 text of one picture give the same inputs."""
        seeing.forms(self.subject())

    @check(after=_RUNS)
    def test_modes(self) -> None:
        """Grey, palette, CMYK, transparent and 16-bit files become what the model takes."""
        seeing.modes(self.subject())

    @check(after=_RUNS)
    def test_one_call(self) -> None:
        """A parameter of one call is for that call only; an unknown one is refused."""
        seeing.one_call(self.subject())

    @check(after=_RUNS)
    def test_bad_images(self) -> None:
        """What is empty, cut, no number or no picture is refused by name."""
        seeing.refusals(self.subject())
