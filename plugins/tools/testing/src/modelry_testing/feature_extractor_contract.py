"""The contract of a feature extractor: every form of a sound is the same sound, and what is none is refused."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from modelry_testing.contract import check
from modelry_testing.preprocessor_contract import PreprocessorContract
from modelry_testing.preprocessors import hearing

_RUNS = ("test_registered", "test_loads", "test_prepares")


class FeatureExtractorContract(PreprocessorContract):
    """What every feature extractor keeps. It needs the packages of `modelry-core[audio]`.

    class TestWav2Vec2FeatureExtractor(FeatureExtractorContract):
        model_type = "wav2vec2"
        values = {"do_normalize": True}
    """

    role = "feature-extractor"
    values: ClassVar[Mapping[str, Any]] = {}
    """Of preprocessor_config.json."""

    def write_files(self, folder: Path) -> None:
        """preprocessor_config.json with `values`."""
        (folder / "preprocessor_config.json").write_text(json.dumps(dict(self.values)))

    def items(self) -> Sequence[Any]:
        """Noise of three lengths."""
        generator = np.random.default_rng(5)
        return [generator.normal(0.0, 0.1, length).astype(np.float32) for length in (1600, 2400, 1000)]

    @check(after=_RUNS)
    def test_forms(self) -> None:
        """Arrays, tensors, lists, mappings, stereo and PCM of one sound give the same inputs."""
        hearing.forms(self.subject())

    @check(after=_RUNS)
    def test_rates(self) -> None:
        """Ten milliseconds and silence, at 8 and 192 kHz, are heard."""
        hearing.rates(self.subject())

    @check(after=_RUNS)
    def test_padding(self) -> None:
        """A batch becomes one tensor, with a mask where one is asked for."""
        hearing.padding(self.subject())

    @check(after=_RUNS)
    def test_bad_sounds(self) -> None:
        """What is empty, cut, no number or no sound is refused by name."""
        hearing.refusals(self.subject())
