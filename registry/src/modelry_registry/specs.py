"""What a plugin says of itself: frozen strings and plain values, checked when made.

A reference is written "module:Name" and imported only on use (`modelry_registry.resolve`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import ClassVar

from modelry_registry.naming import NAME, NAME_RULE, REFERENCE, quoted

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One name of one kind. Subclasses say in `reference_fields` which fields hold references.

    Raises:
        ValueError: a name, reference or date is malformed; the message says which.
    """

    kind: ClassVar[str]
    name_field: ClassVar[str] = "name"
    reference_fields: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not NAME.fullmatch(self.key):
            raise ValueError(f"{type(self).__name__}: {quoted(self.key)} is not a name: use {NAME_RULE}")
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, dict):
                object.__setattr__(self, one.name, MappingProxyType(dict(value)))
        for label, reference in self.references():
            if not isinstance(reference, str) or not REFERENCE.fullmatch(reference):
                raise ValueError(
                    f"{self.kind}:{self.key}: {label} {reference!r} is not a reference: write 'module:Name'"
                )

    @property
    def key(self) -> str:
        """The lookup key, equal to the entry point's name."""
        value: str = getattr(self, self.name_field)
        return value

    def references(self) -> Iterator[tuple[str, str]]:
        """Yield (label, reference) for everything this spec imports on use."""
        for label in self.reference_fields:
            value = getattr(self, label)
            if isinstance(value, Mapping):
                yield from ((f"{label}[{key!r}]", reference) for key, reference in value.items())
            elif value is not None:
                yield label, value


@dataclass(frozen=True, kw_only=True)
class ModelFamily(Spec):
    """A configuration, its model heads and its preprocessors."""

    kind: ClassVar[str] = "models"
    name_field: ClassVar[str] = "model_type"
    reference_fields: ClassVar[tuple[str, ...]] = ("config", "heads", "preprocessors")

    model_type: str
    config: str
    heads: Mapping[str, str]
    """Head name ("base", "causal-lm", ...; the table is in modelry.auto) to model class."""
    preprocessors: Mapping[str, str] = field(default_factory=dict)
    """"tokenizer", "image-processor", "video-processor", "feature-extractor" or "processor" to class."""
    modalities: tuple[str, ...] = ("text",)
    released: str = ""
    """ISO date of the first public release."""
    papers: tuple[str, ...] = ()
    tiny: Mapping[str, object] = field(default_factory=dict)
    """config.json values of a model under 1 MB, for tests."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.released and not _DATE.fullmatch(self.released):
            raise ValueError(f"models:{self.model_type}: released {self.released!r} is not a date: write YYYY-MM-DD")


@dataclass(frozen=True, kw_only=True)
class Task(Spec):
    """A pipeline."""

    kind: ClassVar[str] = "tasks"
    reference_fields: ClassVar[tuple[str, ...]] = ("pipeline",)

    name: str
    pipeline: str
    """A subclass of modelry.Pipeline."""
    heads: tuple[str, ...]
    """Head names it can run, the preferred first."""
    preprocessors: tuple[str, ...] = ()
    """Preprocessor roles it needs ("tokenizer", ...)."""
    implied: bool = True
    """Whether it is the task of a model that was saved with the first of `heads`, where nobody names one. Of several
    tasks that prefer one head and the same preprocessors, one should be."""
    inputs: tuple[str, ...] = ("text",)
    outputs: tuple[str, ...] = ("text",)
    help: str = ""
    example: Mapping[str, object] = field(default_factory=dict)
    """For tests, where plain texts and no keywords will not do: "items", at least three inputs; "parameters", keywords
    of a call; "config", config.json values that the model must have."""


@dataclass(frozen=True, kw_only=True)
class Decoder(Spec):
    """A decoding strategy: a loop over a session, and its parameters."""

    kind: ClassVar[str] = "decoders"
    reference_fields: ClassVar[tuple[str, ...]] = ("decode", "parameters")

    name: str
    decode: str
    """A function (session, parameters) -> None."""
    parameters: str
    """A modelry.generation.DecoderParameters: the GenerationConfig fields that it reads, typed and checked."""
    streams: bool = True
    """False where tokens are known only at the end (beams)."""
    papers: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Quantizer(Spec):
    """A quantization scheme: acts on the finished module from outside."""

    kind: ClassVar[str] = "quantizers"
    reference_fields: ClassVar[tuple[str, ...]] = ("quantizer", "parameters")

    name: str
    """quant_method in the ecosystem's quantization_config."""
    quantizer: str
    """A subclass of modelry.quantization.Quantizer."""
    parameters: str
    """A pydantic model: the keys of quantization_config."""
    bits: tuple[int, ...] = ()
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class AttentionBackend(Spec):
    """An attention function, chosen by `attn_implementation`."""

    kind: ClassVar[str] = "attention"
    reference_fields: ClassVar[tuple[str, ...]] = ("attend",)

    name: str
    attend: str
    """A function (q, k, v, mask, *, scale) -> mixed; see modelry.nn.attention."""
    weights: bool = False
    """True where it can return attention weights (output_attentions)."""
    biases: bool = True
    """False where it cannot add anything to the scores, as models with relative positions need it."""
    patterns: bool = True
    """False where it knows causality, windows, padding and texts in one row, and no other table of who sees whom."""
    module: str = ""
    """A module it runs on that its package cannot bring along, since it is built for one machine; it is looked for
    when the backend is chosen, before anything is loaded."""
    install: str = ""
    """What a person runs to get that module."""
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckpointFormat(Spec):
    """A reader of checkpoint files."""

    kind: ClassVar[str] = "checkpoints"
    reference_fields: ClassVar[tuple[str, ...]] = ("reader",)

    name: str
    reader: str
    """A subclass of modelry.checkpoint.CheckpointReader."""
    suffixes: tuple[str, ...] = ()
    """File suffixes it reads, with the dot."""
    files: tuple[str, ...] = ()
    """Names of files that are a whole model together with the `companions` beside them ("model.bin"), in folders whose
    config.json has no model_type. The reader's `recognises` looks into the file."""
    companions: tuple[str, ...] = ()
    """Shell patterns of the files beside one of `files` that the reader reads too."""
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Command(Spec):
    """A subcommand of `modelry`."""

    kind: ClassVar[str] = "commands"
    reference_fields: ClassVar[tuple[str, ...]] = ("command",)

    name: str
    command: str
    """A click.Command."""
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class HookSet(Spec):
    """Cross-cutting hooks, switched on by the user with MODELRY_HOOKS."""

    kind: ClassVar[str] = "hooks"
    reference_fields: ClassVar[tuple[str, ...]] = ("hooks",)

    name: str
    hooks: str
    """A module-level object whose methods are marked with modelry_registry.hookimpl."""
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Optimizer(Spec):
    """A rule by which weights follow their gradients, chosen by `optim`."""

    kind: ClassVar[str] = "optimizers"
    reference_fields: ClassVar[tuple[str, ...]] = ("make",)

    name: str
    make: str
    """A function (groups, *, learning_rate, ...) -> torch.optim.Optimizer. Its other keyword arguments, each with a
    default, are the parameters that a user may give (`optim_args`)."""
    matrices: bool = False
    """Whether groups are to say of each parameter whether it is a matrix inside of the model (key "matrix": a list)."""
    papers: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Schedule(Spec):
    """What the learning rate is at each step, chosen by `lr_scheduler_type`."""

    kind: ClassVar[str] = "schedules"
    reference_fields: ClassVar[tuple[str, ...]] = ("make",)

    name: str
    make: str
    """A function (optimizer, *, warmup_steps, total_steps, ...) -> LRScheduler. Its other keyword arguments are the
    parameters that a user may give (`lr_scheduler_kwargs`); those without a default must be given."""
    follows_metric: bool = False
    """True where `step` is called with a metric after each evaluation, and not after each step."""
    papers: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Callback(Spec):
    """What listens to a training, chosen by `report_to` or `callbacks`."""

    kind: ClassVar[str] = "callbacks"
    reference_fields: ClassVar[tuple[str, ...]] = ("callback",)

    name: str
    callback: str
    """A class made without arguments; its methods are named after the events of a training (on_log, on_train_end ...)
    and take (arguments, state, control, **more)."""
    reports: bool = False
    """True where it writes what is logged to somewhere (`report_to`)."""
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class PublicName(Spec):
    """A name that `from modelry import ...` has once its package is installed."""

    kind: ClassVar[str] = "names"
    reference_fields: ClassVar[tuple[str, ...]] = ("value",)

    name: str
    value: str
    """The class or function."""
    help: str = ""


_KINDS: tuple[type[Spec], ...] = (
    ModelFamily,
    Task,
    Decoder,
    Quantizer,
    AttentionBackend,
    CheckpointFormat,
    Command,
    HookSet,
    Optimizer,
    Schedule,
    Callback,
    PublicName,
)
SPECS: Mapping[str, type[Spec]] = MappingProxyType({spec.kind: spec for spec in _KINDS})
"""Kind to the class of its specs: every kind there is, in the order in which they are listed."""
