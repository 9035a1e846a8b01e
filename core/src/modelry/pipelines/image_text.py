"""What tasks share in which a model goes on with text that it reads beside images and videos.

B prompts of a batch   T tokens of a prompt, P with padding   I whatever a model sees of all images: images, patches
"""

import mimetypes
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from modelry.errors import GenerationError, ParameterError, PreprocessorError
from modelry.fetching import is_url
from modelry.pipelines.chats import in_parts
from modelry.pipelines.continuing import ContinuationParameters, ContinuingPipeline
from modelry.pipelines.images import compute_by_size
from modelry.pipelines.parameters import TaskParameters
from modelry.pipelines.seen_prompts import SeenPrompt, filled, read_seen_prompt
from modelry.pipelines.sounds import MOST_BYTES as MOST_OF_SOUNDS
from modelry.pipelines.urls import MOST_BYTES, fetched
from modelry.preprocessing.chat_media import with_media
from modelry.preprocessing.processor import TEXT_AND_IMAGE, Processor
from modelry.preprocessing.tokenizer import Tokenizer
from modelry.preprocessing.videos.loading import MOST_BYTES as MOST_OF_VIDEOS

MOST_FETCHED = {"image": MOST_BYTES, "video": MOST_OF_VIDEOS, "audio": MOST_OF_SOUNDS}
"""The most bytes of a URL, by what it leads to."""
_BY_TOKEN = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "decoder_input_ids"})
"""Features with an entry for each token, padded in a batch; all others are of pictures, one behind the other."""


class ImageTextParameters(ContinuationParameters):
    """Keywords of a task that reads text beside images and videos."""

    processor_kwargs: dict[str, Any] = Field(default_factory=dict, description="of the processor: num_frames, size …")
    generate_kwargs: dict[str, Any] = Field(default_factory=dict, description="of generate, as others put them")
    allow_private: bool | None = Field(
        None, description="URLs may lead into our own network; unset: as a variable says"
    )
    timeout: float | None = Field(None, gt=0, description="seconds for what a URL leads to; unset: 30")


P = TypeVar("P", bound=ImageTextParameters)


class TextAndImageProcessor(Processor):
    """Without placeholders: images stand beside the text."""

    parts = TEXT_AND_IMAGE


class ImageTextPipeline(ContinuingPipeline[P]):
    """Texts with images and videos in, what the model writes then out. `seen_prompts` says what an item may be.

    An encoder-decoder model reads one image; a text is what its answer begins with.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ImageTextParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._processor = self._whole_processor()
        self.tokenizer = self.tokenizer or getattr(self._processor, "tokenizer", None)
        self._tokenizer = self.needed_tokenizer()

    def _whole_processor(self) -> Processor:
        """The processor; of a family that has none, its tokenizer and its image processor together."""
        if isinstance(self.processor, Processor):
            return self.processor
        words: Any = self.tokenizer or self.processor
        if not isinstance(words, Tokenizer) or self.image_processor is None:
            raise PreprocessorError(
                f"{self.task} needs a processor of text and images, or a tokenizer and an image processor: pass "
                "processor="
            )
        return TextAndImageProcessor(tokenizer=words, image_processor=self.image_processor)

    # What a task may say

    def asked(self, item: Any, parameters: P) -> SeenPrompt:
        """What an item asks."""
        return read_seen_prompt(item)

    def shell_item(self, prompt: SeenPrompt) -> dict[str, Any]:
        """The item that a text at a shell is, and the files before it."""
        return prompt.as_item()

    # Reading

    def items_of(self, words: Iterator[str]) -> Iterator[Any]:
        """Files and URLs belong to the text behind them; without one, each is an item."""
        images: list[str] = []
        videos: list[str] = []
        for word in words:
            kind = _kind_of_file(word)
            if kind is None:
                yield self.shell_item(SeenPrompt(None, word, images, videos))
                images, videos = [], []
            else:
                (videos if kind == "video" else images).append(word)
        yield from ({"image": one} for one in images)
        yield from ({"video": one} for one in videos)

    def preprocess(self, item: Any, parameters: P) -> dict[str, Any]:
        prompt = self.asked(item, parameters)
        if prompt.chat is not None:
            continues = parameters.continues(prompt.chat)
            told: dict[str, Any] = {"chat": prompt.chat, "continues": continues}
            features = self._of_chat(prompt, parameters, continues=continues)
        else:
            told = {"text": prompt.text or ""}
            read = self._of_start if self.model.config.is_encoder_decoder else self._of_text
            features = read(prompt, parameters)
        ids = features.get("input_ids")
        if ids is not None and not len(ids):
            raise GenerationError("the prompt is empty: it has no tokens, so there is nothing to continue")
        return {**told, **features}

    def _of_chat(self, prompt: SeenPrompt, parameters: P, *, continues: bool) -> dict[str, Any]:
        if self.model.config.is_encoder_decoder:
            raise PreprocessorError(f"{type(self.model).__name__} reads no chats: give an image, and a text or none")
        counts = dict.fromkeys(MOST_FETCHED, -1)

        def fetch(kind: str, value: Any) -> Any:
            counts[kind] += 1
            return self._fetched(kind, value, counts[kind], parameters)

        made = self._processor.apply_chat_template(
            in_parts(with_media(filled(prompt), fetch)),
            chat_template=parameters.chat_template,
            add_generation_prompt=not continues,
            continue_final_message=continues,
            processor_kwargs=parameters.processor_kwargs,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            **parameters.chat_template_kwargs,
        )
        return _features(made)

    def _of_text(self, prompt: SeenPrompt, parameters: P) -> dict[str, Any]:
        if prompt.text is None:
            raise PreprocessorError("a text is needed beside the images: give one, or a chat with both")
        media = self._media(prompt, parameters)
        return _features(self._processor([prompt.text], **media, return_tensors="pt", **parameters.processor_kwargs))

    def _of_start(self, prompt: SeenPrompt, parameters: P) -> dict[str, Any]:
        """Of a model whose decoder writes what its encoder sees."""
        if len(prompt.images) != 1 or prompt.videos:
            raise PreprocessorError(
                f"{type(self.model).__name__} reads one image; {len(prompt.images)} images and {len(prompt.videos)} "
                "videos were given"
            )
        media = self._media(prompt, parameters)
        features = _features(self._processor(**media, return_tensors="pt", **parameters.processor_kwargs))
        if prompt.text:
            features["decoder_input_ids"] = torch.tensor(
                self._tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
            )
        return features

    def _media(self, prompt: SeenPrompt, parameters: P) -> dict[str, list[Any]]:
        """Arguments of the processor."""
        given = {"image": prompt.images, "video": prompt.videos}
        return {
            f"{kind}s": [self._fetched(kind, one, number, parameters) for number, one in enumerate(some)]
            for kind, some in given.items()
            if some
        }

    def _fetched(self, kind: str, value: Any, number: int, parameters: P) -> Any:
        return fetched(value, parameters, name=f"{kind}s[{number}]", max_bytes=MOST_FETCHED[kind])

    # Running

    def compute(self, features: Sequence[Mapping[str, Any]], parameters: P) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda alike: together(alike, parameters), by=_kind_of_features)

    def collate(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        seen = [name for name, value in items[0].items() if isinstance(value, Tensor) and name not in _BY_TOKEN]
        batch = super().collate([{name: one[name] for name in one.keys() & _BY_TOKEN} for one in items])
        return batch | {name: torch.cat([one[name] for one in items]) for name in seen}

    def forward(self, batch: dict[str, Tensor], parameters: P) -> dict[str, Any]:
        start = batch.get("input_ids", batch.get("decoder_input_ids"))  # (B, P)
        rows = len(batch[self.model.main_input_name]) if start is None else len(start)
        width = 1 if start is None else start.shape[1]
        arguments: dict[str, Any] = {**batch, **self.generation(parameters, width), "tokenizer": self._tokenizer}
        sequences = self.model.generate(**arguments)
        return self.continued(sequences, rows, width, batch.get("attention_mask"))

    def stream(self, item: Any, **parameters: Any) -> Iterator[str]:
        """As of every task that goes on with a prompt; what generate_kwargs say chooses the strategy too."""
        self.parameters(**parameters)
        return super().stream(item, **self._flat(parameters))

    def parameters(self, **values: Any) -> P:
        """As of every task; generate_kwargs are keywords like any other."""
        return super().parameters(**self._flat(values))

    def _flat(self, values: Mapping[str, Any]) -> dict[str, Any]:
        nested = values.get("generate_kwargs") or {}
        if not isinstance(nested, Mapping):
            return dict(values)
        twice = sorted(nested.keys() & values.keys())
        if twice:
            raise ParameterError(f"{', '.join(twice)} is said twice: once in generate_kwargs and once beside it")
        return {**(self.defaults.get("generate_kwargs") or {}), **nested, **values, "generate_kwargs": {}}


def _features(made: Mapping[str, Any]) -> dict[str, Any]:
    """What a processor made of one prompt, tokens without a batch dimension."""
    return {name: value[0] if name in _BY_TOKEN else value for name, value in made.items() if isinstance(value, Tensor)}


def _kind_of_features(features: Mapping[str, Any]) -> Hashable:
    """Equal for prompts that can share a batch: pictures of one shape, and beginnings of answers of one length."""
    shapes = {name: tuple(value.shape) for name, value in features.items() if isinstance(value, Tensor)}
    start = shapes.get("decoder_input_ids")
    return start, frozenset((name, shape[1:]) for name, shape in shapes.items() if name not in _BY_TOKEN)


def _kind_of_file(word: str) -> str | None:
    """ "image" or "video" where a word at a shell is a file or an address, None for a text."""
    guessed = (mimetypes.guess_type(word)[0] or "").partition("/")[0]
    named = guessed in ("image", "video") and not any(sign.isspace() for sign in word)
    if not (named or is_url(word) or word.startswith("data:") or _is_file(word)):
        return None
    return "video" if guessed == "video" else "image"


def _is_file(word: str) -> bool:
    try:
        return Path(word).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False  # too long for a name, or of signs that no name has; a text may be
