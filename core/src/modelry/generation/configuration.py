"""What generation_config.json means. Plain data: it reads, checks and writes, and generates nothing. No torch here."""

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from modelry.atomic import write_text
from modelry.errors import GenerationError, ModelryWarning
from modelry.generation.reading import FILE_NAME, read_generation_file
from modelry.generation.refusal import refusal
from modelry.hub import Reference, resolve_reference, split_hub_options
from modelry.uploading import push_saved


def _no_switch(value: Any) -> Any:
    """To Python True is 1, and no_repeat_ngram_size=True would forbid every token to come twice."""
    if isinstance(value, bool):
        raise ValueError("it is a number, which cannot be switched on or off: None leaves it out")
    return value


Whole = Annotated[int, BeforeValidator(_no_switch)]
Number = Annotated[float, BeforeValidator(_no_switch)]
SomeToken = Annotated[Whole, Field(lt=2**63)]
TokenId = Annotated[SomeToken, Field(ge=0)]
TokenIds = TokenId | list[TokenId]
Count = Annotated[Whole, Field(ge=0)]
Positive = Annotated[Whole, Field(gt=0)]
Real = Annotated[Number, Field(allow_inf_nan=False)]
Fraction = Annotated[Number, Field(ge=0, le=1, allow_inf_nan=False)]
Factor = Annotated[Number, Field(gt=0, allow_inf_nan=False)]


_ONCE_IN_CONFIG = (
    "num_beams",
    "early_stopping",
    "length_penalty",
    "no_repeat_ngram_size",
    "min_length",
    "max_length",
    "repetition_penalty",
)
"""Values of config.json that old encoder-decoders generate with."""
_OF_SPEECH = (
    *(
        "alignment_heads",
        "forced_decoder_ids",
        "is_multilingual",
        "lang_to_id",
        "language",
        "max_initial_timestamp_index",
    ),
    *("median_filter_width", "no_timestamps_token_id", "prev_sot_token_id", "return_timestamps", "task", "task_to_id"),
)
"""Values that models of speech are told, and read themselves; kept beside ours."""


class GenerationConfig(BaseModel):
    """How to continue a prompt. Field names are the ecosystem's; None always means "not in use".

    Which of several sources counts is decided in `modelry.generation.precedence`; values that exclude each other are
    refused there too, because a file may hold one half and a call the other.

    Raises:
        GenerationError: a value is impossible by itself (negative, NaN, of the wrong type).
    """

    model_config = ConfigDict(extra="allow", validate_assignment=True, arbitrary_types_allowed=True)

    _silent: ClassVar[frozenset[str]] = frozenset(
        {"transformers_version", "modelry_version", "_from_model_config", "_commit_hash", "_name_or_path"}
    )

    # Length
    max_length: Positive | None = Field(20, description="tokens, prompt included; unset: 20 new tokens")
    max_new_tokens: Positive | None = None
    min_length: Count | None = Field(0, description="tokens, prompt included")
    min_new_tokens: Count | None = None
    early_stopping: bool | Literal["never"] | None = Field(False, description="beams: when to stop")
    max_time: Factor | None = Field(None, description="seconds")
    stop_strings: str | list[str] | None = None

    # Strategy
    strategy: str | None = Field(None, description="name of a decoder plugin; unset: follows from the other fields")
    do_sample: bool | None = False
    num_beams: Positive | None = 1
    num_beam_groups: Positive | None = 1
    diversity_penalty: Real | None = 0.0
    penalty_alpha: Fraction | None = None
    dola_layers: Literal["low", "high"] | list[Count] | None = None
    constraints: list[Any] | None = None
    force_words_ids: list[Any] | None = None
    json_schema: Any = Field(None, description="what the answer is: a dictionary, JSON text or a pydantic model class")
    regex: str | None = Field(None, description="what matches the whole answer")
    grammar: str | None = Field(None, description="context-free, of the answer")
    choices: list[str] | None = Field(None, description="texts, one of which is the answer")
    seed: Whole | None = Field(
        None, ge=-(2**63), lt=2**64, description="unset: draws come from torch's global generator"
    )

    # Cache
    use_cache: bool | None = True
    cache_implementation: str | None = Field(
        None, min_length=1, description="kind of the cache; generate's cache=... is the same"
    )
    cache_config: dict[str, Any] | None = Field(None, description="options of that kind")
    max_cache_len: Positive | None = Field(None, description="positions of a static cache; unset: as many as needed")
    prefill_chunk_size: Positive | None = Field(None, description="prompt tokens fed at once; unset: 1,024")

    # Compilation
    compile: bool | None = Field(None, description="compile the decode step; unset: only where compile_config is")
    compile_config: dict[str, Any] | None = Field(None, description="arguments of torch.compile")
    disable_compile: bool | None = None

    # Scores
    temperature: Annotated[Number, Field(ge=0, allow_inf_nan=False)] | None = 1.0
    top_k: Count | None = Field(50, description="0: off")
    top_p: Fraction | None = 1.0
    min_p: Fraction | None = None
    top_h: Annotated[Number, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    typical_p: Annotated[Number, Field(gt=0, le=1, allow_inf_nan=False)] | None = 1.0
    epsilon_cutoff: Annotated[Number, Field(ge=0, lt=1, allow_inf_nan=False)] | None = 0.0
    eta_cutoff: Annotated[Number, Field(ge=0, lt=1, allow_inf_nan=False)] | None = 0.0
    repetition_penalty: Factor | None = 1.0
    frequency_penalty: Real | None = Field(0.0, description="subtracted once for each time a token was generated")
    presence_penalty: Real | None = Field(0.0, description="subtracted once where a token was generated")
    encoder_repetition_penalty: Factor | None = 1.0
    length_penalty: Real | None = 1.0
    no_repeat_ngram_size: Count | None = 0
    encoder_no_repeat_ngram_size: Count | None = 0
    bad_words_ids: list[Annotated[list[TokenId], Field(min_length=1)]] | None = None
    sequence_bias: dict[tuple[TokenId, ...], Number] | list[tuple[list[TokenId], Number]] | None = None
    renormalize_logits: bool | None = None
    remove_invalid_values: bool | None = False
    exponential_decay_length_penalty: tuple[Count, Factor] | None = None
    suppress_tokens: list[TokenId] | None = None
    begin_suppress_tokens: list[TokenId] | None = None
    forced_bos_token_id: TokenId | None = None
    forced_eos_token_id: TokenIds | None = None
    guidance_scale: Real | None = None
    watermarking_config: dict[str, Any] | None = None

    # Special tokens
    pad_token_id: SomeToken | None = None
    bos_token_id: SomeToken | None = None
    eos_token_id: SomeToken | list[SomeToken] | None = None
    decoder_start_token_id: SomeToken | list[SomeToken] | None = None

    # What comes back
    num_return_sequences: Positive | None = 1
    output_attentions: bool | None = False
    output_hidden_states: bool | None = False
    output_scores: bool | None = False
    output_logits: bool | None = False
    return_dict_in_generate: bool | None = False

    # Speculation
    is_assistant: bool | None = None
    num_assistant_tokens: Positive | None = 20
    num_assistant_tokens_schedule: Literal["constant", "heuristic", "heuristic_transient"] | None = "constant"
    assistant_confidence_threshold: Fraction | None = 0.4
    assistant_early_exit: Positive | None = None
    assistant_lookbehind: Positive | None = 10
    target_lookbehind: Positive | None = 10
    assistant_ensemble_weight: Annotated[Number, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    prompt_lookup_num_tokens: Positive | None = None
    max_matching_ngram_size: Positive | None = None
    speculation_type: str | None = None
    use_mtp: bool | None = None

    def __init__(self, **values: Any) -> None:
        given = {name: value for name, value in values.items() if name not in self._silent}
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise refusal("GenerationConfig", error) from error
        self._warn_of_unknown(given)

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise refusal("GenerationConfig", error) from error
        if not name.startswith("_"):
            self._warn_of_unknown((name,))

    def _warn_of_unknown(self, names: Iterable[str]) -> None:
        unknown = sorted(set(names) - type(self).model_fields.keys() - set(_OF_SPEECH))
        if unknown:
            warnings.warn(
                f"GenerationConfig does not know {', '.join(unknown)}; kept, but without effect",
                ModelryWarning,
                stacklevel=3,
            )

    def __str__(self) -> str:
        return f"GenerationConfig {self.to_dict()}"

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """Arrays and tensors of numbers become numbers; a config object becomes its dictionary."""
        if isinstance(value, type):
            return value
        if callable(getattr(value, "tolist", None)):
            return value.tolist()
        if callable(getattr(value, "to_dict", None)):
            return value.to_dict()
        return value

    @field_validator("stop_strings")
    @classmethod
    def _no_empty_stop(cls, value: str | list[str] | None) -> str | list[str] | None:
        if value == "" or (isinstance(value, list) and "" in value):
            raise ValueError("an empty stop string would stop everything at once")
        return value

    @field_validator("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id", "forced_eos_token_id")
    @classmethod
    def _absent_token(cls, value: int | list[int] | None) -> int | list[int] | None:
        """Published files write -1 for "there is none", or an empty list."""
        if isinstance(value, list):
            return [one for one in value if one >= 0] or None
        return None if value is not None and value < 0 else value

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Ids that end a sequence, in the order given, each once."""
        ids = self.eos_token_id
        return () if ids is None else (ids,) if isinstance(ids, int) else tuple(dict.fromkeys(ids))

    def set_fields(self) -> dict[str, Any]:
        """What was given, and only that: defaults are left out."""
        extra = self.__pydantic_extra__ or {}
        names = (*type(self).model_fields, *extra)
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}

    def updated(self, **values: Any) -> "GenerationConfig":
        """A copy in which `values` replace what this one says.

        Raises:
            GenerationError: a value is impossible.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelryWarning)  # unknown names were reported when this config was made
            return type(self)(**(self.set_fields() | values))

    def update(self, **values: Any) -> dict[str, Any]:
        """Set the fields that exist and return the rest, as the ecosystem does."""
        rest = {}
        for name, value in values.items():
            if name in type(self).model_fields:
                setattr(self, name, value)
            else:
                rest[name] = value
        return rest

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> Self:
        """From what generation_config.json holds. A null there means "not said"."""
        return cls(**({name: value for name, value in values.items() if value is not None} | overrides))

    @classmethod
    def from_model_config(cls, config: Any) -> Self:
        """From a model's config: its special tokens, for checkpoints without a generation_config.json.

        Encoder-decoders had their beams and lengths there too, before that file was.
        """
        names = ["bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"]
        if getattr(config, "is_encoder_decoder", False):
            names += ["forced_bos_token_id", "forced_eos_token_id", *_ONCE_IN_CONFIG]
        text = config.get_text_config()
        found = {name: getattr(config, name, None) for name in names}
        found |= {name: getattr(text, name, None) for name, value in found.items() if value is None}
        if isinstance(found["bos_token_id"], list):
            found["bos_token_id"] = found["bos_token_id"][0]
        return cls.from_dict(found)

    @classmethod
    def from_pretrained(cls, ref: Reference, config_file_name: str = FILE_NAME, **options: Any) -> Self:
        """Read generation_config.json of a folder or hub repository, or what a checkpoint file (gguf) says of it.

        Args:
            ref: folder, file, or "organisation/repository".
            options: revision, subfolder, cache_dir, local_files_only, token, force_download, gguf_file; everything
                else overrides a value of the file.

        Raises:
            NotFound, Unreachable, AccessDenied: the file cannot be had.
            GenerationError: it is not a JSON object, or a value is impossible.
        """
        hub, overrides = split_hub_options(options)
        values, where = read_generation_file(resolve_reference(ref, **hub), config_file_name)
        try:
            return cls.from_dict(values, **overrides)
        except GenerationError as error:
            raise GenerationError(f"{where}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """What generation_config.json will hold: the fields that were set, as JSON can say them."""
        values = {name: value for name, value in self.set_fields().items() if value is not None}
        bias = values.get("sequence_bias")
        if bias:
            pairs = bias.items() if isinstance(bias, dict) else bias
            values["sequence_bias"] = [[list(ids), number] for ids, number in pairs]
        schema = getattr(values.get("json_schema"), "model_json_schema", None)  # of a pydantic class
        if callable(schema):
            values["json_schema"] = schema()
        return values

    def to_json_string(self) -> str:
        """The text of generation_config.json.

        Raises:
            GenerationError: a value (a constraint object, say) has no JSON form.
        """
        try:
            return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        except TypeError as error:
            raise GenerationError(f"generation_config.json cannot hold a value given here: {error}") from error

    def save_pretrained(
        self, folder: str | Path, config_file_name: str = FILE_NAME, *, push_to_hub: bool = False, **hub: Any
    ) -> None:
        """Write generation_config.json into `folder`, made when missing, in one step."""
        write_text(Path(folder) / config_file_name, self.to_json_string())
        if push_to_hub:
            self.push_to_hub(hub.pop("repo_id", Path(folder).name), **hub)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Write it into a hub repository, created when missing; returns the address of the commit."""
        return push_saved(self.save_pretrained, repo_id, message="Upload generation configuration", **options)
