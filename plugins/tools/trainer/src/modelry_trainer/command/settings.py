"""What a training from a file is told: its sections, checked before anything is loaded. Torch-free."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from modelry_registry import RegistryError
from modelry_trainer.arguments import TrainingArguments
from modelry_trainer.contradictions import refuse_unknown
from modelry_trainer.errors import ArgumentsError, TrainFileError
from modelry_trainer.unbuilt import UNBUILT

Row = dict[str, Any]
_LOOKED_UP = ("optim", "lr_scheduler_type")
"""Arguments whose values are names of plugins: what is wrong with them names the value."""
Said = Mapping[tuple[str, ...], str]
"""Keys from the outermost to where they stand: "config.yaml, line 3" or "--training.seed"."""


class Section(BaseModel):
    """Keys with values; another key is refused."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ModelSettings(Section):
    """Which model, and how it is loaded."""

    ref: str
    """A folder, a checkpoint file, or organisation/repository."""
    revision: str | None = None
    tokenizer: str | None = None
    """Where the tokenizer or processor is, if not beside the model."""
    dtype: str | None = None
    """None: float32 where all weights learn, as stored where an adapter does."""
    quantization: str | dict[str, Any] | None = None
    attn_implementation: str | None = None
    device_map: str | dict[str, int | str] | None = None


class DataSettings(Section):
    """Rows for learning and for evaluation."""

    train: str | list[str] | list[Row]
    """Files, a folder, a data set of the hub, or the rows themselves."""
    eval: str | list[str] | list[Row] | None = None
    eval_fraction: float | None = Field(None, gt=0, lt=1)
    """The part of the rows of `train` that is kept for evaluation."""
    name: str | None = None
    """Of a data set of the hub: its configuration."""
    revision: str | None = None
    train_split: str = "train"
    eval_split: str | None = None
    columns: dict[str, str] = {}
    """What the kind of training calls a column to what the data call it."""
    seed: int = Field(42, ge=0)
    max_train_rows: int | None = Field(None, gt=0)
    max_eval_rows: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_way_to_evaluate(self) -> "DataSettings":
        ways = [name for name in ("eval", "eval_fraction", "eval_split") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} all say what is evaluated: choose one")
        return self


class PreprocessingSettings(Section):
    """From rows to what the model reads. Which keys have a meaning depends on the task."""

    max_length: int | None = Field(None, gt=1)
    """Tokens of a row; None: what the model takes."""
    overlong: Literal["cut", "split", "drop", "refuse"] = "cut"
    """What becomes of longer rows: cut at the end, split into several rows, left out, or an error."""
    packing: bool = False
    """Several rows in one of max_length tokens, which do not see each other: no padding."""
    completion_only: bool = True
    """Only what the assistant says is learnt; False: the whole chat."""
    chat_template: str | None = None
    """A file with a template, or the template."""
    add_eos: bool = True
    """Learn where a text ends."""
    mlm_probability: float = Field(0.15, gt=0, lt=1)
    whole_word_mask: bool = False
    source_prefix: str = ""
    max_target_length: int | None = Field(None, gt=0)
    label_all_tokens: bool = False
    """Every piece of a word has the word's label; False: its first."""
    problem_type: Literal["regression", "single_label_classification", "multi_label_classification"] | None = None


class PeftSettings(BaseModel):
    """An adapter. What is not named here is a field of PEFT's configuration, which checks it."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    method: Literal["lora", "ia3"] = "lora"
    target_modules: str | list[str] = "all-linear"
    modules_to_save: list[str] | None = None
    merge: bool = False
    """Also write the model with the adapter merged into it, into the folder "merged"."""


class Settings(Section):
    """A whole training."""

    task: str
    model: ModelSettings
    data: DataSettings
    preprocessing: PreprocessingSettings = Field(default_factory=PreprocessingSettings)
    peft: PeftSettings | None = None
    training: dict[str, Any] = {}


SECTIONS: Mapping[str, type[BaseModel]] = {
    "model": ModelSettings,
    "data": DataSettings,
    "preprocessing": PreprocessingSettings,
    "peft": PeftSettings,
}


WRITING = ("predict_with_generate", "generation_max_length", "generation_num_beams", "generation_config")
"""What Seq2SeqTrainingArguments have beside the others; importing them would bring torch along."""


def known_keys() -> dict[str, list[str]]:
    """Section to its keys; "" to those outside of sections."""
    keys = {name: list(section.model_fields) for name, section in SECTIONS.items()}
    return {"": ["task"], **keys, "training": [*TrainingArguments.model_fields, *WRITING, *UNBUILT]}


def check_settings(values: Mapping[str, Any], said: Said, *, name: str) -> Settings:
    """The settings of a file.

    Args:
        name: what a message calls the file.

    Raises:
        TrainFileError: every mistake in one sentence each, with its line.
    """
    given = {key: value for key, value in values.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise TrainFileError("; ".join(_sentence(one, said, name) for one in _worth_saying(error))) from None


def training_arguments(settings: Settings, said: Said, *, name: str, made: type[TrainingArguments]) -> Any:
    """The section "training" as arguments.

    Raises:
        TrainFileError: there is no such argument, its value is impossible, or a name that nobody provides.
    """
    for key in settings.training:
        try:
            refuse_unknown([key], {*made.model_fields, *UNBUILT})
        except ArgumentsError as error:
            raise TrainFileError(f"{_place(('training', key), said, name)}: {error}") from None
    values = dict(settings.training)
    if "output_dir" in values:
        values["output_dir"] = str(values["output_dir"])  # a folder may be called 7
    try:
        return made(**values)
    except (ArgumentsError, RegistryError) as error:
        shown = {key: repr(value) if key in _LOOKED_UP else key for key, value in settings.training.items()}
        named = [key for key, words in shown.items() if words in str(error)]
        path = ("training", named[0]) if named else ("training",)
        raise TrainFileError(f"{_place(path, said, name)}: {error}") from None


def _worth_saying(error: ValidationError) -> list[Any]:
    """One mistake for each key: of a value that may be of several kinds, pydantic names one for each."""
    found: dict[tuple[str, ...], Any] = {}
    for one in error.errors():
        found.setdefault(_keys(one["loc"]), one)
    return list(found.values())


def _keys(location: tuple[Any, ...]) -> tuple[str, ...]:
    """Keys without what pydantic adds for the kinds that a value may be of."""
    section = SECTIONS.get(str(location[0]))
    known = section.model_fields if section is not None else {}
    return tuple(map(str, location[: 2 if len(location) > 1 and location[1] in known else len(location)]))


def _sentence(error: Any, said: Said, name: str) -> str:
    keys = _keys(error["loc"])
    where, key = _place(keys, said, name), ".".join(keys)
    if error["type"] == "extra_forbidden":
        section = SECTIONS.get(keys[0]) if len(keys) > 1 else None
        known = list((section or Settings).model_fields)
        near = get_close_matches(keys[-1].replace("-", "_"), known, 1)
        elsewhere = [one for one, names in known_keys().items() if one and keys[-1] in names]
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        if elsewhere and not near:
            hint = f"it belongs into {elsewhere[0]}:"
        return f"{where}: there is no key {key}: {hint}"
    if error["type"] == "missing":
        return f"{where}: {key} is missing"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Exception):
        return f"{where}: {key}: {cause}"
    wanted = error.get("ctx", {}).get("expected")
    text = repr(error["input"])
    shown = text if len(text) < 60 else f"{text[:57]}..."
    return f"{where}: {key} is {shown}: {f'write {wanted}' if wanted else error['msg'].lower()}"


def _place(keys: tuple[str, ...], said: Said, name: str) -> str:
    """Where the key stands, or the nearest section around it."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in said:
            return said[keys[:length]]
    return name
