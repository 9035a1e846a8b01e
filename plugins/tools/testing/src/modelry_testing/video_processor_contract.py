"""The contract of a video processor: every form of a film is the same film, and frames are taken as asked."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from modelry_testing.contract import check
from modelry_testing.preprocessor_contract import PreprocessorContract
from modelry_testing.preprocessors import watching
from modelry_testing.toys.pictures import film

_RUNS = ("test_registered", "test_loads", "test_prepares")


class VideoProcessorContract(PreprocessorContract):
    """What every video processor keeps. It needs the packages of `modelry-core[video]`.

    class TestVideoMAEVideoProcessor(VideoProcessorContract):
        model_type = "videomae"
        values = {"video_processor_type": "VideoMAEVideoProcessor"}
    """

    role = "video-processor"
    values: ClassVar[Mapping[str, Any]] = {"size": {"height": 32, "width": 32}}
    """Of video_preprocessor_config.json."""
    frames: ClassVar[int] = 8
    """How many each film has; the checks also take half of them."""

    def write_files(self, folder: Path) -> None:
        """video_preprocessor_config.json with `values`."""
        (folder / "video_preprocessor_config.json").write_text(json.dumps(dict(self.values)))

    def items(self) -> Sequence[np.ndarray]:
        """Three films (frames, height, width, 3)."""
        return [film(self.frames, *extent, seed) for seed, extent in enumerate(((40, 61), (64, 48), (33, 35)))]

    @check(after=_RUNS)
    def test_forms(self) -> None:
        """Stacks, tensors, lists of arrays and of PIL images of one film give the same inputs."""
        watching.forms(self.subject())

    @check(after=_RUNS)
    def test_sampling(self) -> None:
        """Frames by number, rate and time are those that stand there."""
        watching.sampling(self.subject())

    @check(after=_RUNS)
    def test_bad_videos(self) -> None:
        """No frames, too few, a broken one, and files that are no film are refused by name."""
        watching.refusals(self.subject())
