"""Videos to pixel values: frames are chosen, then each goes the way of an image.

A family whose preprocessing is configuration only names this class. One with further steps subclasses it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from modelry.errors import NotFound, PreprocessorError
from modelry.hub import Source
from modelry.preprocessing.configured_preprocessor import ConfiguredPreprocessor, PreprocessorParameters
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.image_processor import ImageProcessor, changed, refuse_other_steps
from modelry.preprocessing.tensors import check_tensor_type
from modelry.preprocessing.videos.parameters import WITH_STEPS_OF_THEIR_OWN, VideoParameters

if TYPE_CHECKING:
    import numpy as np

    from modelry.preprocessing.videos.sampling import VideoMetadata

_WAYS = ("num_frames", "fps", "timestamps")


class VideoProcessor(ConfiguredPreprocessor):
    """Loaded from and saved as video_preprocessor_config.json; older publications have a preprocessor_config.json."""

    role: ClassVar[str] = "video-processor"
    file_name: ClassVar[str] = "video_preprocessor_config.json"
    type_key: ClassVar[str] = "video_processor_type"
    parameters_class: ClassVar[type[PreprocessorParameters]] = VideoParameters

    def __call__(
        self, videos: Any, *, return_tensors: str | None = None, video_metadata: Any = None, **parameters: Any
    ) -> BatchFeature:
        """Turn what the user has into model inputs.

        Args:
            videos: one or a list of: path, URL, bytes or base64 text of a file; list of frames (images of any kind);
                stack of frames (T, H, W, C) or (T, C, H, W).
            return_tensors: "pt", "np", or None for lists of arrays.
            video_metadata: {"fps": frames a second} of a list or stack, or one such for each video.
            parameters: replace this preprocessor's own for this call. num_frames, fps or timestamps (seconds) choose
                frames; allow_private=True lets URLs lead into our own network.

        Returns:
            pixel_values_videos (N, T, C, H, W), or what else the model calls it; video_metadata with return_metadata.

        Raises:
            PreprocessorError: an unknown parameter, or a video or frame that cannot be used; names it.
        """
        from modelry.preprocessing.videos.loading import each_video, prepared

        check_tensor_type(return_tensors)
        allow_private = parameters.pop("allow_private", None)
        chosen = self._chosen(parameters)
        given = list(each_video(videos))
        clocks = _rates(video_metadata, len(given))
        found, metadata = [], []
        for (name, value), fps in zip(given, clocks, strict=True):
            frames, about = prepared(value, name, chosen, fps=fps, allow_private=allow_private)
            found.append(frames)
            metadata.append(about)
        made = self.assemble(found, metadata, chosen, return_tensors)
        if chosen.return_metadata:
            made["video_metadata"] = metadata
        return made

    preprocess = __call__

    def assemble(
        self,
        videos: "Sequence[Sequence[np.ndarray]]",
        metadata: "Sequence[VideoMetadata]",
        parameters: VideoParameters,
        return_tensors: str | None,
    ) -> BatchFeature:
        """Model inputs of arranged frames (H, W, C). A family that cuts them into patches does it here."""
        from modelry.preprocessing.images.values import batched

        lengths = sorted({len(frames) for frames in videos})
        if return_tensors is not None and len(lengths) > 1:
            raise PreprocessorError(
                f"the videos have {lengths[0]} to {lengths[-1]} frames and cannot become one tensor: pass num_frames, "
                "or return_tensors=None"
            )
        flat = [frame for frames in videos for frame in frames]
        values, _ = batched(flat, parameters, together=return_tensors is not None)
        if return_tensors is not None:
            whole = cast("np.ndarray", values)
            return BatchFeature(
                {parameters.output_name: whole.reshape(len(videos), lengths[0], *whole.shape[1:])},
                tensor_type=return_tensors,
            )
        ends = [sum(len(frames) for frames in videos[: number + 1]) for number in range(len(videos))]
        starts = [0, *ends[:-1]]
        return BatchFeature(
            {parameters.output_name: [list(values[start:end]) for start, end in zip(starts, ends, strict=True)]}
        )

    to_dict = ImageProcessor.to_dict

    def _chosen(self, changes: Mapping[str, Any]) -> VideoParameters:
        """The parameters of one call: a way of choosing frames replaces the processor's own."""
        ways = [name for name in _WAYS if changes.get(name) is not None]
        if not ways:
            return cast(VideoParameters, changed(self, changes))
        return cast(VideoParameters, changed(self, {"do_sample_frames": True, **changes}, without=_WAYS))

    @classmethod
    def _check(cls, values: Mapping[str, Any], where: str) -> PreprocessorParameters:
        if cls is VideoProcessor:
            refuse_other_steps(values, where, WITH_STEPS_OF_THEIR_OWN)
        return super()._check(values, where)

    @classmethod
    def _read(cls, source: Source) -> tuple[dict[str, Any], str]:
        try:
            return super()._read(source)
        except NotFound:
            if source.file(ImageProcessor.file_name, required=False) is None:
                raise
            return ImageProcessor._read(source)


def _rates(video_metadata: Any, count: int) -> list[float | None]:
    """Frames a second of each video, where they are said."""
    several = video_metadata if isinstance(video_metadata, list | tuple) else [video_metadata] * count
    if len(several) != count:
        raise PreprocessorError(f"video_metadata is for {len(several)} videos; there are {count}")
    found: list[float | None] = []
    for one in several:
        fps = one.get("fps") if isinstance(one, Mapping) else getattr(one, "fps", None)
        if fps is not None and (not isinstance(fps, int | float) or fps <= 0):
            raise PreprocessorError(f"video_metadata has fps={fps!r}; frames a second are expected")
        found.append(fps)
    return found
