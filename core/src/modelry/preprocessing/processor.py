"""Several preprocessors as one: a tokenizer and what else the model takes, called, loaded and saved together."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from modelry.atomic import write_text
from modelry.errors import ConfigError, PreprocessorError
from modelry.hub import Source
from modelry.preprocessing.chat_media import KINDS, media_of
from modelry.preprocessing.configured_preprocessor import PROCESSOR_FILE
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.placeholders import check_counts, check_tokens, expanded, token_kinds
from modelry.preprocessing.preprocessor import PathLike, Preprocessor
from modelry.preprocessing.tensors import as_tensor
from modelry_registry import resolve

_PART_OF = {
    "image": ("image_processor",),
    "video": ("video_processor",),
    "audio": ("feature_extractor", "audio_processor"),
}
_KWARGS = {"image": "images_kwargs", "video": "videos_kwargs", "audio": "audio_kwargs"}
_CALL = {
    *("padding", "truncation", "max_length", "pad_to_multiple_of", "padding_side", "add_special_tokens"),
    *("return_mm_token_type_ids", "allow_private", "video_metadata", "text_kwargs", *_KWARGS.values()),
}
"""Arguments of apply_chat_template that are the call's."""
TEXT_AND_IMAGE: Mapping[str, type[Preprocessor] | str] = {
    "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
    "image_processor": "modelry.preprocessing.image_processor:ImageProcessor",
}
"""The parts of most processors of texts and images."""


class Processor(Preprocessor):
    """A family's processor names its parts and, where images, videos or sound stand in the prompt, says as how many
    tokens each does (`expansions`).
    """

    role: ClassVar[str] = "processor"
    parts: ClassVar[Mapping[str, type[Preprocessor] | str]] = {}
    """Attribute ("tokenizer", "image_processor", "video_processor", "feature_extractor") -> class, or "module:Name"."""
    placeholders: ClassVar[Mapping[str, str]] = {}
    """Kind ("image", "video", "audio") -> the token that stands for one, unless settings or tokenizer name another."""

    def __init__(self, *, chat_template: str | None = None, **parts_and_settings: Any) -> None:
        """
        Args:
            chat_template: instead of the tokenizer's own.
            parts_and_settings: every part by its name; everything else is a setting of processor_config.json.

        Raises:
            PreprocessorError: a part is missing or of another class.
        """
        for name in self.parts:
            part, wanted = parts_and_settings.pop(name, None), self._part_class(name)
            if not isinstance(part, wanted):
                raise PreprocessorError(
                    f"{type(self).__name__} needs {name}= a {wanted.__name__}; it was given {part!r:.40}"
                )
            setattr(self, name, part)
        self.chat_template = chat_template
        self.settings: dict[str, Any] = parts_and_settings

    def __call__(
        self, text: Any = None, images: Any = None, videos: Any = None, audio: Any = None, **options: Any
    ) -> BatchFeature:
        """Turn text with images, videos or sound into model inputs.

        Args:
            text: a text or several; for most models with a placeholder for each image, video and sound.
            images, videos, audio: as their processors take them; one list for all texts, or a list for each text.
            options: of the parts: each goes to the processors that know it, every other to the tokenizer.
                images_kwargs, videos_kwargs, audio_kwargs and text_kwargs hold options of one part;
                return_mm_token_type_ids adds 1 for tokens of images, 2 of videos, 3 of sound.

        Raises:
            PreprocessorError: nothing was given, the family has no part for it, or there are more or fewer images,
                videos or sounds than placeholders.
        """
        kinds = options.pop("return_mm_token_type_ids", False)
        return_tensors = options.get("return_tensors")
        given = {kind: value for kind, value in zip(KINDS, (images, videos, audio), strict=True) if value is not None}
        if text is None and not given:
            raise PreprocessorError("give text=, images=, videos= or audio=")
        own = {kind: self._options(kind, options) for kind in given}
        found: dict[str, Any] = {}
        replacements: dict[str, Sequence[str]] = {}
        texts = [] if text is None else [text] if isinstance(text, str) else list(text)
        for kind, value in given.items():
            inputs = self._part_for(kind)(value, **own[kind])
            token = self.placeholder(kind)
            if token is not None and text is not None:
                replacements[token] = self.expansions(kind, inputs)
                check_counts(texts, token, value, len(replacements[token]), kind)
            found |= inputs
        if text is not None:
            tokens = {kind: token for kind in KINDS if (token := self.placeholder(kind)) is not None}
            for kind, token in tokens.items():
                if kind not in given:
                    check_counts(texts, token, None, 0, kind)
            whole = expanded(texts, replacements)
            inputs = self._tokenizer()(whole if not isinstance(text, str) else whole[0], **self._text_options(options))
            ids = {token: self._tokenizer().convert_tokens_to_ids(token) for token in tokens.values()}
            check_tokens(inputs["input_ids"], whole, {token: ids[token] for token in replacements})
            found |= inputs
            if kinds:
                rows = token_kinds(inputs["input_ids"], [ids.get(tokens.get(kind, "")) for kind in KINDS])
                several = return_tensors or not isinstance(text, str)
                found["mm_token_type_ids"] = rows if several else rows[0]
                if return_tensors:
                    found["mm_token_type_ids"] = as_tensor("mm_token_type_ids", rows, return_tensors)
        return BatchFeature(found)

    def placeholder(self, kind: str) -> str | None:
        """The token that stands for an image, video or sound in a text; None where they come beside the text."""
        if kind not in self.placeholders:
            return None
        name = f"{kind}_token"
        named = self.settings.get(name) or self._tokenizer().special_tokens_map.get(name)
        return str(named) if named else self.placeholders[kind]

    def expansions(self, kind: str, inputs: Mapping[str, Any]) -> Sequence[str]:
        """What stands in the text for each image, video or sound: usually its placeholder as often as it has tokens.

        Args:
            kind: "image", "video" or "audio".
            inputs: what the kind's processor made of all of them.
        """
        token = self.placeholder(kind)
        assert token is not None
        return [token] * len(next(iter(inputs.values())))

    @classmethod
    def from_source(cls, source: Source, settings: Mapping[str, Any]) -> Self:
        """Load every part and the processor's own settings; `settings` give parts, or replace settings."""
        path = source.file(PROCESSOR_FILE, required=False)
        own = {} if path is None else _own_settings(path, cls.parts)
        parts = {name: cls._part_class(name).from_pretrained(source) for name in cls.parts if name not in settings}
        return cls(**{**own, **parts, **settings})

    def save_pretrained(self, save_directory: PathLike) -> tuple[str, ...]:
        """Save every part, and processor_config.json.

        Returns:
            The paths written.
        """
        folder = Path(save_directory)
        written = [path for name in self.parts for path in self._part(name).save_pretrained(folder)]
        values = {**self.settings, "processor_class": type(self).__name__}
        if self.chat_template is not None:
            values["chat_template"] = self.chat_template
        text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return (*written, str(write_text(folder / PROCESSOR_FILE, text)))

    def apply_chat_template(
        self,
        conversation: Any,
        *,
        chat_template: str | None = None,
        tokenize: bool = False,
        return_dict: bool = False,
        return_tensors: str | None = None,
        return_assistant_tokens_mask: bool = False,
        processor_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Write messages as the model was trained to read them, and prepare that with the images, videos and sounds in
        them.

        Args:
            conversation: messages or lists of such; see modelry.preprocessing.chat_media for their parts.
            tokenize: return the inputs and not the text: with return_dict all of them, without it their ids.
            processor_kwargs: options of this processor's call (padding, num_frames …).
            options: for the template, and for the call where the tokenizer's apply_chat_template or a part knows them.

        Raises:
            PreprocessorError: the messages are none, or what they carry does not fit the template's placeholders.
        """
        wanted = self.chat_template if chat_template is None else chat_template
        chats, media, several = media_of(conversation)
        tokenizer, plain = self._tokenizer(), chats if several else chats[0]
        carried = {kind: found for kind, found in media.items() if any(found)}
        if not tokenize or not carried:
            return tokenizer.apply_chat_template(
                plain,
                chat_template=wanted,
                tokenize=tokenize,
                return_dict=return_dict,
                return_tensors=return_tensors,
                return_assistant_tokens_mask=return_assistant_tokens_mask,
                **options,
            )
        if return_assistant_tokens_mask:
            raise PreprocessorError("return_assistant_tokens_mask is for chats of text; this one carries other things")
        call = {name: options.pop(name) for name in list(options) if name in _CALL or self._takers(name)}
        text = tokenizer.apply_chat_template(plain, chat_template=wanted, tokenize=False, **options)
        start = tokenizer.special_tokens_map.get("bos_token")
        first = text[0] if several else text
        call.setdefault("add_special_tokens", not (start and first.startswith(start)))
        found = {"images": carried["image"]} if "image" in carried else {}
        for kind, name in (("video", "videos"), ("audio", "audio")):
            if kind in carried:  # a list within a list would be the frames of one video
                found[name] = [one for of_one_chat in carried[kind] for one in of_one_chat]
        made = self(
            text if several else [text], **found, **{**call, **(processor_kwargs or {})}, return_tensors=return_tensors
        )
        return made if return_dict else made["input_ids"]

    def decode(self, token_ids: Any, **options: Any) -> Any:
        """The tokenizer's decode."""
        return self._tokenizer().decode(token_ids, **options)

    def batch_decode(self, sequences: Any, **options: Any) -> list[str]:
        """The tokenizer's batch_decode."""
        found: list[str] = self._tokenizer().batch_decode(sequences, **options)
        return found

    def _part_for(self, kind: str) -> Any:
        """The part that takes images, videos or sound."""
        for name in _PART_OF[kind]:
            if name in self.parts:
                return self._part(name)
        raise PreprocessorError(f"{type(self).__name__} takes no {kind} inputs; it has {', '.join(self.parts)}")

    def _takers(self, name: str) -> tuple[str, ...]:
        """The kinds whose processor has a parameter of this name."""
        found = []
        for kind in KINDS:
            part = next((self._part(one) for one in _PART_OF[kind] if one in self.parts), None)
            parameters = getattr(part, "parameters", None)
            if parameters is not None and name in {*type(parameters).model_fields, *(parameters.model_extra or ())}:
                found.append(kind)
        return tuple(found)

    def _options(self, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those of a call that are for the processor of images, videos or sound."""
        everywhere = ("return_tensors", "allow_private") if kind != "audio" else ("return_tensors",)
        found = {name: value for name, value in options.items() if name in everywhere or kind in self._takers(name)}
        if kind == "video" and "video_metadata" in options:
            found["video_metadata"] = options["video_metadata"]
        return found | (options.get(_KWARGS[kind]) or {})

    def _text_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those that are for the tokenizer: all that no other part takes."""
        others = {"allow_private", "video_metadata", "text_kwargs", *_KWARGS.values()}
        found = {name: value for name, value in options.items() if name not in others and not self._takers(name)}
        return found | (options.get("text_kwargs") or {})

    def _part(self, name: str) -> Preprocessor:
        return cast(Preprocessor, getattr(self, name))

    def _tokenizer(self) -> Any:
        if "tokenizer" not in self.parts:
            raise PreprocessorError(f"{type(self).__name__} has no tokenizer; it has {', '.join(self.parts)}")
        return self._part("tokenizer")

    @classmethod
    def _part_class(cls, name: str) -> type[Preprocessor]:
        part = cls.parts[name]
        return cast(type[Preprocessor], resolve(part)) if isinstance(part, str) else part


def _own_settings(path: Path, parts: Mapping[str, object]) -> dict[str, Any]:
    """processor_config.json without its bookkeeping and without the parts, which load themselves."""
    from modelry.config_file import read_json_object

    try:
        values = read_json_object(path)
    except ConfigError as error:
        raise PreprocessorError(str(error)) from error
    return {name: value for name, value in values.items() if name != "processor_class" and name not in parts}
