"""Videos in, labels and their scores out.

B videos of a batch   T frames   C labels
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.images import compute_by_size
from modelry.pipelines.inputs import read_item
from modelry.pipelines.labels import scored_labels
from modelry.pipelines.urls import fetched
from modelry.preprocessing.videos.loading import MOST_BYTES
from modelry_video_classification.frames import first_frames
from modelry_video_classification.parameters import VideoClassificationParameters

if TYPE_CHECKING:
    from modelry.preprocessing import VideoProcessor


class VideoClassificationPipeline(Pipeline[VideoClassificationParameters]):
    """Give videos their labels.

    A video (a path, a URL, bytes or base64 text of a file, a list of frames, a stack of them, or a row of a data set
    that holds one as `video`) is answered by a list of `{"label": …, "score": …}`, the best first.
    """

    parameters_class: ClassVar[type[TaskParameters]] = VideoClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.video_processor is None:
            raise PreprocessorError(f"{self.task} needs a video processor: pass video_processor=")
        self._processor: VideoProcessor = self.video_processor

    def is_item(self, value: Any) -> bool:
        """A list of frames is one video; a list of files, of stacks or of lists is several."""
        if isinstance(value, list | tuple) and value:
            first = value[0]
            return hasattr(first, "getbands") or len(getattr(first, "shape", ())) in (2, 3)
        return super().is_item(value)

    def preprocess(self, item: Any, parameters: VideoClassificationParameters) -> Mapping[str, Any]:
        video = fetched(read_item(item, key="video", dims=4), parameters, name="the video", max_bytes=MOST_BYTES)
        count = parameters.num_frames or getattr(self.model.config, "num_frames", None)  # a family may have no such key
        rate = parameters.frame_sampling_rate
        way: dict[str, Any] = {} if count is None else {"num_frames": count}
        if rate is not None:
            if count is None:
                raise PreprocessorError(
                    f"frame_sampling_rate={rate} needs a number of frames, and the model says none: pass num_frames"
                )
            video, way = first_frames(video, count, rate=rate), {"do_sample_frames": False}
        made = self._processor([video], return_tensors="pt", **way)
        return {name: value[0] for name, value in made.items() if isinstance(value, Tensor)}

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: VideoClassificationParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters), by=next(iter(features[0])))

    def forward(self, batch: dict[str, Tensor], parameters: VideoClassificationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        return {"logits": self.model(**arguments).logits}  # (B, C)

    def postprocess(self, output: dict[str, Any], parameters: VideoClassificationParameters) -> Any:
        return scored_labels(output["logits"], self.model.config, parameters.function_to_apply)[: parameters.top_k]

    def display(self, answer: Any) -> str:
        return "\n".join(f"{label['score']:.4f}  {label['label']}" for label in answer)
