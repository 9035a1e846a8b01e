"""Sounds in, labels and their scores out.

B sounds of a batch   C labels
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.images import compute_by_size
from modelry.pipelines.labels import scored_labels
from modelry.pipelines.sounds import needed_feature_extractor, read_sound_item, sound_features
from modelry_audio_classification.parameters import AudioClassificationParameters


class AudioClassificationPipeline(Pipeline[AudioClassificationParameters]):
    """Give sounds their labels.

    A sound (`modelry.preprocessing.audio.reading` says what that may be), or a row of a data set that holds one as
    `audio`, is answered by a list of `{"label": …, "score": …}`, the best first. Sounds of several lengths are padded
    together where the model is told what padding is, and heard one length after the other where it is not.
    """

    parameters_class: ClassVar[type[TaskParameters]] = AudioClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._extractor = needed_feature_extractor(self)

    def preprocess(self, item: Any, parameters: AudioClassificationParameters) -> Mapping[str, Any]:
        return sound_features(self._extractor, read_sound_item(item, parameters))

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: AudioClassificationParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        if "attention_mask" in features[0]:
            return together(features, parameters)
        return compute_by_size(features, lambda alike: together(alike, parameters), by=self.model.main_input_name)

    def forward(self, batch: dict[str, Tensor], parameters: AudioClassificationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        return {"logits": self.model(**arguments).logits}  # (B, C)

    def postprocess(self, output: dict[str, Any], parameters: AudioClassificationParameters) -> Any:
        return scored_labels(output["logits"], self.model.config, parameters.function_to_apply)[: parameters.top_k]

    def display(self, answer: Any) -> str:
        return "\n".join(f"{label['score']:.4f}  {label['label']}" for label in answer)
