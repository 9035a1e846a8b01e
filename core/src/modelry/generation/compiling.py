"""compile=True: the pass over one new position, compiled once for a model and a size of its static cache.

Prompts, and passes over several positions, are read as ever. R rows   C capacity of the cache   V vocabulary
"""

import os
import shutil
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from modelry.cache import Cache, StaticLayerCache
from modelry.cache.buffers import whole_blocks
from modelry.cache.making import RECURRENT
from modelry.cache.stepping import stepping_cache
from modelry.errors import GenerationError
from modelry.generation.configuration import GenerationConfig
from modelry.inference.written import written
from modelry.model import DEFAULT_ATTENTION
from modelry.nn.decoder_config import FULL, SLIDING
from modelry.nn.linear import calls_hooks_of_all, trusting_joints
from modelry.nn.loop_attention import PIECE, shares_few
from modelry.outputs import CausalLMOutputWithPast

_OPTIONS = ("backend", "dynamic", "fullgraph", "mode", "options")
"""What compile_config may hold: arguments of torch.compile."""
_ATTRIBUTE = "_compiled_steps"
_OF_THE_MODEL = ("model", "dict(type(model")
"""What the names of torch's questions about the model begin with: `model` is a variable of the step's closure."""

Function = Callable[..., tuple[Tensor, Any, Any]]


def compile_options(config: GenerationConfig, model: Any) -> dict[str, Any] | None:
    """Arguments of torch.compile, or None where nothing is to be compiled.

    Raises:
        GenerationError: the wish contradicts another field, or cannot be fulfilled here.
    """
    given = config.compile_config
    if config.disable_compile:
        if config.compile:
            raise GenerationError("compile=True and disable_compile=True contradict each other: leave one out")
        return None
    if not (config.compile or (config.compile is None and given is not None)):
        return None
    unknown = sorted(name for name in given or {} if name not in _OPTIONS and not name.startswith("_"))
    if unknown:
        raise GenerationError(f"compile_config has no {', '.join(unknown)}; it has {', '.join(_OPTIONS)}")
    if config.use_cache is False:
        raise GenerationError("compile=True compiles steps on a static cache: use_cache=False leaves none")
    if model.config.is_encoder_decoder:
        raise GenerationError(
            f"compile=True is for decoder-only models, and {type(model).__name__} is none: leave it out"
        )
    if RECURRENT in (getattr(model.config.get_text_config(), "layer_types", None) or ()):
        raise GenerationError(
            f"compile=True compiles steps on a static cache, and {type(model).__name__} has recurrent layers, which "
            "keep a state instead: leave it out"
        )
    if model.offloaded is not None:
        raise GenerationError("compile=True is for models in memory, and parts of this one are on disk: leave it out")
    options = {name: value for name, value in (given or {}).items() if name in _OPTIONS and value is not None}
    device = model.device
    if "mode" not in options and "options" not in options and device.type == "cuda":
        options["mode"] = "reduce-overhead"  # records the step as one CUDA graph
    if options.get("backend", "inductor") == "inductor":
        _require_compiler(device)
        return _without_mode(options)
    return options


def _without_mode(options: dict[str, Any]) -> dict[str, Any]:
    """The same, with the options that a mode stands for: beside a mode torch takes none."""
    mode = options.pop("mode", None)
    if mode is None:
        return options
    if "options" in options:
        raise GenerationError(
            f"compile_config has mode={mode!r} and options: torch takes one of them, leave the other out"
        )
    known: dict[str, dict[str, Any]] = torch._inductor.list_mode_options()
    if mode not in known:
        raise GenerationError(f"compile_config has mode={mode!r}; PyTorch knows {', '.join(known)}")
    return {**options, "options": known[mode]}


def _windows(model: Any) -> tuple[int | None, ...] | None:
    """Positions that each layer sees, None for all; None where the model takes no pattern for each type of layer."""
    found: tuple[int | None, ...] | None = getattr(model.base_model, "windows", None)
    return found


def refuse_short_windows(model: Any, *, positions: int) -> None:
    """Refuse layers that see less than a text has, of a model that takes one pattern for all layers.

    Args:
        positions: of the prompt and its answer.

    Raises:
        GenerationError: a layer's window is shorter.
    """
    if _windows(model) is not None:
        return
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)  # families without windows have no such field
    types = getattr(config, "layer_types", None)
    if window is not None and window < positions and (types is None or SLIDING in types):
        raise GenerationError(
            f"compile=True: {type(model).__name__} has layers that see {window:,} positions, and the prompt and its "
            f"answer have up to {positions:,}. It takes no pattern for each type of layer: leave compile out"
        )


def _require_compiler(device: torch.device) -> None:
    """Refuse early what would fail deep inside: on the CPU, programs are written in C++."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX") or usual
    if device.type == "cpu" and shutil.which(compiler.split()[0]) is None:
        raise GenerationError(
            f"compile=True needs a C++ compiler, and {compiler!r} is not found: install one (Debian and Ubuntu: "
            "apt-get install g++), name yours in the environment variable CXX, or leave compile out"
        )


@final
class CompiledSteps:
    """The compiled steps of one model, kept on it; dropped when its modules or parameters are others or elsewhere."""

    def __init__(self) -> None:
        self._signature: tuple[Any, ...] = ()
        self._functions: dict[tuple[Any, ...], Function] = {}

    def __reduce__(self) -> tuple[type["CompiledSteps"], tuple[()]]:
        return CompiledSteps, ()  # a copied or pickled model compiles its own

    @classmethod
    def of(cls, model: nn.Module) -> "CompiledSteps":
        """Those of this model as it is now."""
        found: CompiledSteps = model.__dict__.setdefault(_ATTRIBUTE, cls())
        signature = _signature(model)
        if signature != found._signature:
            found._signature, found._functions = signature, {}
        return found

    def function(self, model: nn.Module, capacity: int, options: Mapping[str, Any]) -> Function:
        """The compiled step for caches of one capacity; torch compiles when it is first called."""
        key = (capacity, *sorted((name, repr(value)) for name, value in options.items()))
        found = self._functions.get(key)
        if found is None:
            if "mode" not in options:  # left to compilers other than torch's own
                more = _of_inductor(model) if options.get("backend", "inductor") == "inductor" else {}
                given = options.get("options") or {}
                options = {**options, "options": {**more, **given, "guard_filter_fn": _asked_each_time}}
            found = self._functions[key] = torch.compile(_step_of(model), **options)
        return found

    def __len__(self) -> int:
        return len(self._functions)


def _of_inductor(model: Any) -> dict[str, Any]:
    """How the compiler writes a step. On the CPU all of it is C++: called from Python, the 300 pieces of a step of
    SmolLM2-135M in 4 bit leave the second core waiting, and the step takes as long as the eager one (0.9 of it so).
    Kernels and what calls them are two files: 22 seconds of the C++ compiler's instead of 46, and as fast."""
    usual = {"size_asserts": False}
    in_c = {"cpp_wrapper": True, "cpp_wrapper_build_separate": True}
    return usual | in_c if model.device.type == "cpu" else usual


def _asked_each_time(questions: Sequence[Any]) -> list[bool]:
    """Which of torch's questions are asked before each step: none about the model, which `_signature` asks before each
    text. SmolLM2-135M in 4 bit has thousands of them, a tenth of a step's time (one CPU core, PyTorch 2.13)."""
    return [not one.name.startswith(_OF_THE_MODEL) for one in questions]


def _signature(model: nn.Module) -> tuple[Any, ...]:
    modules = tuple(map(id, model.modules()))
    tensors = (*model.parameters(), *model.buffers())
    where = tuple((tensor.data_ptr(), tensor.shape, tensor.dtype, tensor.device) for tensor in tensors)
    return modules, written(model), where, calls_hooks_of_all()


def _step_of(model: nn.Module) -> Function:
    """The function to be compiled. Each is code of its own: torch counts recompilations for each code apart."""
    windows = _windows(model) or (None,)
    window = next((one for one in windows if one is not None), None)

    def step(
        ids: Tensor,
        positions: Tensor,
        real: Tensor,
        slot: Tensor,
        keys: list[Tensor],
        values: list[Tensor],
        flags: dict[str, bool],
    ) -> tuple[Tensor, Any, Any]:
        real = real.flatten(1)
        places = torch.arange(real.shape[1], device=real.device)
        before = (real & (places <= slot))[:, None, None]
        pattern = before if window is None else {FULL: before, SLIDING: before & (places > slot - window)}
        out = model(
            input_ids=ids,
            attention_mask=pattern,
            position_ids=positions,
            past_key_values=stepping_cache(keys, values, slot),
            use_cache=True,
            logits_to_keep=1,
            **flags,
        )
        return out.logits, out.hidden_states, out.attentions

    return types.FunctionType(step.__code__.replace(), step.__globals__, "step", None, step.__closure__)


@final
class CompiledStep:
    """Reads one new position of each row on a static cache.

    Args:
        model: decoder-only.
        cache: its layers are static.
        options: of torch.compile.

    Raises:
        GenerationError: a layer of the cache is of another kind.
    """

    def __init__(self, model: Any, cache: Cache, options: Mapping[str, Any]) -> None:
        wrong = sorted({type(layer).__name__ for layer in cache if not isinstance(layer, StaticLayerCache)})
        if wrong:
            raise GenerationError(
                f"compile=True needs the static cache, and this one has {', '.join(wrong)}: "
                "leave the cache out, or say cache='static'"
            )
        self._model, self._cache, self._options = model, cache, options
        self._steps = CompiledSteps.of(model)
        self._everything: Tensor | None = None
        self._turned = self._reads_turned_keys()
        self._lent: tuple[Tensor | None, int] = None, 0
        self._buffers: tuple[list[Tensor], list[Tensor]] = ([], [])

    @property
    def fits(self) -> bool:
        """Whether the cache has begun, and has room for one more position (not at its very end: `_reach`)."""
        return 0 < self._cache.seen < self._capacity - (PIECE if self._turned else 1)

    @property
    def _capacity(self) -> int:
        capacity = self._cache.layers[0].capacity
        assert capacity is not None
        return capacity

    def _reads_turned_keys(self) -> bool:
        """Whether attention of the compiled step is loops over turned keys (`modelry.nn.loop_attention`)."""
        if self._model.device.type != "cpu" or self._options.get("backend", "inductor") != "inductor":
            return False
        config = self._model.config.get_text_config()
        heads: int = getattr(config, "num_attention_heads", 0)
        few = shares_few(heads, getattr(config, "num_key_value_heads", None) or heads)
        return few and self._model.attn_implementation == DEFAULT_ATTENTION and self._capacity % PIECE == 0

    def __call__(
        self, ids: Tensor, *, mask: Tensor | None, positions: Tensor, flags: dict[str, bool]
    ) -> CausalLMOutputWithPast:
        """Read (R, 1) new ids and count them as remembered.

        Args:
            mask: (R, at least seen), 0 at padding, or None.
            positions: (R, 1).

        Raises:
            GenerationError: the step cannot be compiled.
        """
        cache, capacity = self._cache, self._capacity
        function = self._steps.function(self._model, capacity, self._options)
        reach = self._reach()
        keys, values = self._bound(reach)
        slot = torch.full((1,), cache.seen, device=ids.device)
        if ids.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        try:
            with trusting_joints():
                logits, hidden, attentions = function(
                    _laid(ids), _laid(positions), self._real(mask, ids, reach), slot, keys, values, dict(flags)
                )
        except torch._dynamo.exc.TorchDynamoException as error:
            raise GenerationError(
                f"compile=True: one step of {type(self._model).__name__} cannot be compiled "
                f"({' '.join(str(error).split())[:200]}): leave compile out"
            ) from error
        cache.advance(1)
        if ids.device.type == "cuda":  # the next replay of the recorded step writes over them
            logits, hidden, attentions = logits.clone(), _cloned(hidden), _cloned(attentions)
        return CausalLMOutputWithPast(None, logits, cache, hidden, attentions)

    def _reach(self) -> int:
        """Slots that the step is given. On the CPU those in use, in whole blocks: attention then costs what there is to
        see, and not what may come. Never all of them: a part and a whole are two programs to torch."""
        if self._model.device.type != "cpu":
            return self._capacity  # a recorded step reads the same addresses, and as many
        return min(whole_blocks(self._cache.seen + 1), self._capacity - (PIECE if self._turned else 1))

    def _bound(self, reach: int) -> tuple[list[Tensor], list[Tensor]]:
        """The cache's buffers up to there. torch is told once that their width will change, or that they stay where
        they are, so that a recorded step need not copy them."""
        if self._lent[0] is not self._cache.layers[0].keys or self._lent[1] != reach:
            narrow = reach < self._capacity
            keys, values = [], []
            for pair in [layer.reserve(1, turned=self._turned) for layer in self._cache]:
                assert pair is not None
                key, value = (one[:, :, :reach] if narrow else one for one in pair)
                if self._turned:
                    key, value = key.transpose(2, 3).unflatten(3, (-1, PIECE)), value.unflatten(2, (-1, PIECE))
                keys.append(key)
                values.append(value)
            for buffers, along in ((keys, 3 if self._turned else 2), (values, 2)):
                for buffer in buffers:
                    if narrow:
                        torch._dynamo.maybe_mark_dynamic(buffer, along)
                    else:
                        torch._dynamo.mark_static_address(buffer, guard=False)
            self._lent, self._buffers = (self._cache.layers[0].keys, reach), (keys, values)
        return self._buffers

    def _real(self, mask: Tensor | None, ids: Tensor, reach: int) -> Tensor:
        """(R, reach) bool, or (R, reach / N, N): which slots are not padding, the future ones included."""
        if mask is None:
            shape = (ids.shape[0], self._capacity)
            if self._everything is None or self._everything.shape != shape:
                self._everything = torch.ones(shape, dtype=torch.bool, device=ids.device)
            real = self._everything
        else:
            real = mask[:, : self._capacity] != 0
            real = nn.functional.pad(real, (0, self._capacity - real.shape[1]), value=True)
        real = real[:, :reach]
        if self._turned:
            real = real.unflatten(1, (-1, PIECE))
        if reach < self._capacity:
            torch._dynamo.maybe_mark_dynamic(real, 1)
        return real


def _laid(column: Tensor) -> Tensor:
    """A copy of (R, 1) with the strides of its shape: of one row any stride goes, and torch compiles for each anew."""
    return column.new_empty(column.shape).copy_(column)


def _cloned(tensors: Any) -> Any:
    return None if tensors is None else tuple(tensor.clone() for tensor in tensors)
