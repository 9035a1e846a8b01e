"""What tasks that hear share: reading an item, and its features.

N samples
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines.urls import Limits, fetched

MOST_BYTES = 512 << 20
"""The most that is fetched of a sound's URL: four hours of CD-quality FLAC, or an hour and a half of WAV."""

if TYPE_CHECKING:
    from modelry.pipelines.stages import Pipeline
    from modelry.preprocessing import FeatureExtractor


def needed_feature_extractor(pipeline: "Pipeline[Any]") -> "FeatureExtractor":
    """The pipeline's feature extractor.

    Raises:
        PreprocessorError: there is none.
    """
    if pipeline.feature_extractor is None:
        raise PreprocessorError(f"{pipeline.task} needs a feature extractor: pass feature_extractor=")
    return pipeline.feature_extractor


def read_sound_item(item: Any, limits: Limits, *, key: str = "audio") -> Any:
    """An item that is a sound, or a row of a data set that holds one under `key`; a URL as what it leads to.

    Raises:
        PreprocessorError: it is several sounds.
    """
    if isinstance(item, Mapping) and key in item:
        item = item[key]
    if len(getattr(item, "shape", ())) > 1:
        raise PreprocessorError(
            f"one sound is needed; found an array of shape {tuple(item.shape)}: give a list of sounds, or channels as "
            "{'array': …, 'sampling_rate': …}"
        )
    if isinstance(item, Mapping) and not item.keys() & {"bytes", "array", "raw"} and "path" in item:
        item = item["path"]
    return fetched(item, limits, name="the sound", max_bytes=MOST_BYTES)


def sound_features(extractor: "FeatureExtractor", sound: Any, **options: Any) -> dict[str, Tensor]:
    """What the model hears of one sound, without a batch dimension.

    Raises:
        PreprocessorError: it is no sound.
    """
    made = extractor([sound], return_tensors="pt", **options)
    return {name: value[0] for name, value in made.items() if isinstance(value, Tensor)}
