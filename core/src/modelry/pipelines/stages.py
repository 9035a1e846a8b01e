"""The interface of a task: preprocess one item, run the model on a batch, postprocess one item.

Everything between the three (batches, order, data sets, devices, errors, progress) is the kernel's: see running.py.

B items of a batch
"""

import base64
import inspect
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, cast

import torch
from torch import Tensor

from modelry.errors import ParameterError, PreprocessorError
from modelry.model import PreTrainedModel
from modelry.pipelines.batching import Side, collate
from modelry.pipelines.inputs import is_plain_item, read_inputs
from modelry.pipelines.parameters import P, TaskParameters, read_parameters
from modelry.pipelines.placement import read_device
from modelry.pipelines.running import Results, run

if TYPE_CHECKING:
    from PIL.Image import Image

    from modelry.hub import Source
    from modelry.preprocessing import FeatureExtractor, ImageProcessor, Processor, Tokenizer, VideoProcessor

OnError = Literal["raise", "return"]


class Pipeline(ABC, Generic[P]):
    """Raw items in, answers out. A task is a subclass with three methods and a class of parameters.

    Args:
        model: in eval mode from then on.
        task: the name it is called by, for messages.
        device: where to move the model; it stays where it is when None.
        batch_size: items per forward pass, unless a call says otherwise; the task's own number when None.
        source: where the model's files are, for a task that reads more than model and preprocessors from them.
        parameters: defaults of this pipeline for the task's parameters.

    Raises:
        ParameterError: `parameters` are not the task's.
        ValueError: no such device, or a batch size below one.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TaskParameters
    default_batch_size: ClassVar[int] = 1
    """Items of a forward pass where nobody says."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        task: str = "",
        tokenizer: "Tokenizer | None" = None,
        image_processor: "ImageProcessor | None" = None,
        video_processor: "VideoProcessor | None" = None,
        feature_extractor: "FeatureExtractor | None" = None,
        processor: "Processor | None" = None,
        device: int | str | torch.device | None = None,
        batch_size: int | None = None,
        source: "Source | None" = None,
        **parameters: Any,
    ) -> None:
        self.task = task or type(self).__name__
        self.source = source
        self.model = model.eval() if device is None else model.to(read_device(device)).eval()
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.video_processor = video_processor
        self.feature_extractor = feature_extractor
        self.processor = processor
        self.batch_size = self.default_batch_size if batch_size is None else _checked_size(batch_size)
        self.defaults = dict(parameters)
        self.parameters()

    # What a task writes

    @abstractmethod
    def preprocess(self, item: Any, parameters: P) -> Mapping[str, Any]:
        """The features of one item, without a batch dimension.

        Tensors become the batch that `forward` gets; everything else is handed to `postprocess`.
        """

    def forward(self, batch: dict[str, Tensor], parameters: P) -> Mapping[str, Any]:
        """Run the model on (B, ...) tensors that are on its device; tensors of the answer begin with B."""
        arguments: Mapping[str, Any] = batch
        output: Mapping[str, Any] = self.model(**arguments)
        return output

    @abstractmethod
    def postprocess(self, output: dict[str, Any], parameters: P) -> Any:
        """The answer for one item, from its part of the outputs (on the CPU) and its other features."""

    # What a task may write

    def pieces(self, item: Any, parameters: P) -> Iterator[Mapping[str, Any]]:
        """The forward passes that one item needs: windows of a long text, candidate labels. One by default."""
        yield self.preprocess(item, parameters)

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: P) -> Any:
        """The answer for one item from the outputs of all its pieces, in order."""
        (output,) = outputs
        return self.postprocess(output, parameters)

    def is_item(self, value: Any) -> bool:
        """Whether a value is one item where it could be taken for many: a chat is a list."""
        return is_plain_item(value)

    @property
    def padding_side(self) -> Side:
        """Where shorter items are padded."""
        return "right" if self.tokenizer is None else cast(Side, self.tokenizer.padding_side)

    @property
    def padding(self) -> Mapping[str, float]:
        """Feature name to padding value, where that is not 0."""
        known = None if self.tokenizer is None else self.tokenizer.pad_token_id
        return {"input_ids": 0 if known is None else known, "labels": -100}

    def collate(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """(B, ...) tensors from the features of B items."""
        return collate(items, padding=self.padding, side=self.padding_side)

    def size_of(self, features: Mapping[str, Any]) -> int:
        """How much room a piece takes in a batch: pieces of like size are put together where that is possible."""
        ids = features.get("input_ids")
        return len(ids) if isinstance(ids, Tensor) and ids.ndim else 0

    def needed_tokenizer(self) -> "Tokenizer":
        """The tokenizer.

        Raises:
            PreprocessorError: there is none.
        """
        if self.tokenizer is None:
            raise PreprocessorError(f"{self.task} needs a tokenizer: pass tokenizer=")
        return self.tokenizer

    def display(self, answer: Any) -> str:
        """An answer as a person reads it in a terminal."""
        return answer if isinstance(answer, str) else json.dumps(plain(answer), ensure_ascii=False)

    def draw(self, picture: "Image", answer: Any) -> "Image":
        """The picture that an answer is about, with the answer on it: `modelry run --show`, see pipelines/drawing.py.

        Raises:
            ParameterError: the task draws nothing.
        """
        raise ParameterError(f"{self.task!r} has nothing to draw on a picture")

    def answer_with_picture(self, item: Any, **parameters: Any) -> tuple[Any, Any]:
        """The answer to one item, and the picture for `draw`.

        Raises:
            PreprocessorError: the item is no picture.
            PipelineError: it has no answer.
        """
        from modelry.pipelines.images import PictureParameters, loaded_image

        checked: Any = self.parameters(**parameters)
        limits = PictureParameters(allow_private=checked.allow_private, timeout=checked.timeout)
        picture, _ = loaded_image(item, limits)  # read once, for both
        return self({**item, "image": picture} if isinstance(item, Mapping) else picture, **parameters), picture

    def items_of(self, words: Iterator[str]) -> Iterator[Any]:
        """The items that inputs at a shell are, in order: each is one, unless a task puts several together."""
        return words

    def stream(self, item: Any, **parameters: Any) -> Iterator[str]:
        """The displayed answer to one item, in parts as they come. One part unless the task can do better."""
        yield self.display(self(item, **parameters))

    # What the kernel does

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @cached_property
    def without_cache(self) -> Mapping[str, Any]:
        """Arguments of forward that keep a decoder which reads once from making a cache for nothing."""
        return {"use_cache": False} if "use_cache" in inspect.signature(self.model.forward).parameters else {}

    @property
    def dtype(self) -> torch.dtype:
        """The dtype the model computes in."""
        return self.model.dtype

    def parameters(self, **values: Any) -> P:
        """The task's parameters: `values` over this pipeline's defaults, checked.

        Raises:
            ParameterError: one is unknown or impossible.
        """
        kind = cast(type[P], self.parameters_class)
        return read_parameters(kind, {**self.defaults, **values}, task=self.task)

    def __call__(
        self,
        inputs: Any,
        *,
        batch_size: int | None = None,
        on_error: OnError = "raise",
        progress: bool | None = None,
        **parameters: Any,
    ) -> Any:
        """Answer one item, a list, a data set (len and getitem), or anything that iterates.

        Args:
            inputs: a list is answered by a list, at once, and its items of like length share a batch. A data set or an
                iterator is answered by an iterator that reads its items as it goes, at most one batch ahead, and gives
                the answers in order.
            batch_size: items per forward pass.
            on_error: "raise" stops at the first item that fails; "return" puts its PipelineError where its answer
                would be.
            progress: a progress bar; by default only in a terminal and for work of some seconds.
            parameters: the task's own.

        Raises:
            PipelineError: names the item that failed; its cause says why.
            ParameterError: a keyword is not the task's.
        """
        checked = self.parameters(**parameters)
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error is {on_error!r}: use 'raise' or 'return'")
        size = self.batch_size if batch_size is None else _checked_size(batch_size)
        given = read_inputs(inputs, self.is_item)
        results = Results(
            run(self, given, checked, size=size, on_error=on_error), given.length, task=self.task, progress=progress
        )
        if given.given == "one":
            return next(results)
        return list(results) if given.given == "list" else results

    @torch.inference_mode()
    def compute(self, features: Sequence[Mapping[str, Any]], parameters: P) -> Mapping[str, Any]:
        """Collate, move to the model's device (floating features to its dtype), and run `forward`."""
        batch = {
            name: tensor.to(self.device, self.dtype if tensor.is_floating_point() else tensor.dtype)
            for name, tensor in self.collate(features).items()
        }
        return self.forward(batch, parameters)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model and every preprocessor into `folder`, from which `pipeline` can be made again."""
        self.model.save_pretrained(folder)
        for part in (
            self.tokenizer,
            self.image_processor,
            self.video_processor,
            self.feature_extractor,
            self.processor,
        ):
            if part is not None:
                part.save_pretrained(folder)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: tensors and arrays as lists, pictures as data: URIs, others as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if hasattr(value, "getbands"):  # a PIL image, wherever Pillow is
        return _as_data_uri(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _as_data_uri(picture: "Image") -> str:
    """A picture as text, which is an image again to whatever reads images."""
    held = io.BytesIO()
    picture.save(held, "PNG")
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def _checked_size(batch_size: int) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}: it must be a whole number of at least 1")
    return batch_size
