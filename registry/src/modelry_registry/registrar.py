"""What a plugin is given to hand its specs over: one method for each kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from modelry_registry.errors import RegistryError
from modelry_registry.specs import (
    AttentionBackend,
    Callback,
    CheckpointFormat,
    Command,
    Decoder,
    HookSet,
    ModelFamily,
    Optimizer,
    PublicName,
    Quantizer,
    Schedule,
    Spec,
    Task,
)


class Registrar:
    """Collects the specs of the plugin that is being activated; shut at any other time."""

    def __init__(self) -> None:
        self._specs: list[Spec] | None = None
        self._thread = 0

    def model(self, spec: ModelFamily) -> None:
        """Provide a model family."""
        self._add(spec, ModelFamily)

    def task(self, spec: Task) -> None:
        """Provide a pipeline task."""
        self._add(spec, Task)

    def decoder(self, spec: Decoder) -> None:
        """Provide a decoding strategy."""
        self._add(spec, Decoder)

    def quantizer(self, spec: Quantizer) -> None:
        """Provide a quantization scheme."""
        self._add(spec, Quantizer)

    def attention(self, spec: AttentionBackend) -> None:
        """Provide an attention function."""
        self._add(spec, AttentionBackend)

    def checkpoint(self, spec: CheckpointFormat) -> None:
        """Provide a checkpoint reader."""
        self._add(spec, CheckpointFormat)

    def command(self, spec: Command) -> None:
        """Provide a subcommand of `modelry`."""
        self._add(spec, Command)

    def hooks(self, spec: HookSet) -> None:
        """Provide a set of cross-cutting hooks."""
        self._add(spec, HookSet)

    def optimizer(self, spec: Optimizer) -> None:
        """Provide an optimizer."""
        self._add(spec, Optimizer)

    def schedule(self, spec: Schedule) -> None:
        """Provide a learning rate schedule."""
        self._add(spec, Schedule)

    def callback(self, spec: Callback) -> None:
        """Provide a training callback."""
        self._add(spec, Callback)

    def name(self, spec: PublicName) -> None:
        """Provide a name of the package `modelry`."""
        self._add(spec, PublicName)

    @contextmanager
    def collecting(self) -> Iterator[list[Spec]]:
        """Open the registrar for this thread; yield the list that fills."""
        specs: list[Spec] = []
        outer = self._specs, self._thread
        self._specs, self._thread = specs, get_ident()
        try:
            yield specs
        finally:
            self._specs, self._thread = outer

    def _add(self, spec: object, expected: type[Spec]) -> None:
        if self._specs is None or self._thread != get_ident():
            raise RegistryError("a Registrar is open only while modelry_register runs; do not keep it")
        if not isinstance(spec, expected):
            raise TypeError(f"expected a {expected.__name__} for kind {expected.kind!r}, got a {type(spec).__name__}")
        if any((one.kind, one.key) == (spec.kind, spec.key) for one in self._specs):
            raise ValueError(f"{spec.kind}:{spec.key} is registered twice")
        self._specs.append(spec)
