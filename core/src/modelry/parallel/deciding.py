"""From a plan's words to what becomes of each parameter and each number of heads. Everything is checked here, and
nothing changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from modelry.errors import ParallelError
from modelry.parallel.parts import Part

PIECES = {"packed_colwise": 2, "qkv_colwise": 3}
"""Word to the number of layers that lie in one."""
VOCABULARY = ("embedding_rowwise", "colwise_gather_output")
KEYS_AND_VALUES = ("k_proj", "v_proj")
"""Layers of a module with `kv_heads`, of which it has fewer than `heads`."""


@dataclass
class Decided:
    """What is to be done with a model."""

    words: dict[str, str]
    """Name of a module or parameter to the plan's word."""
    parts: dict[int, Part] = field(default_factory=dict)
    """Of parameters that are divided, by id: tied ones are one."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Path of a module to the numbers of heads that a process has of it."""
    repeated: dict[str, int] = field(default_factory=dict)
    """Path of a layer of keys or values to the number of processes that use the same head of it."""


def decide(model: nn.Module, words: Mapping[str, str], size: int) -> Decided:
    """Say what becomes of a model.

    Args:
        words: name of a module or parameter to the plan's word.
        size: number of processes.

    Raises:
        ParallelError: a word does not fit its layer, or `size` does not divide heads or a width.
    """
    decided = Decided(dict(words))
    modules = dict(model.named_modules())
    parameters = dict(model.named_parameters(remove_duplicate=False))
    owned = {
        name: {name: parameters[name]} if name in parameters else own_parameters(modules[name], name) for name in words
    }
    for name, word in words.items():
        found = _parts(name, word, modules.get(name), owned[name])
        if word in VOCABULARY and any(_does_not_divide(owned[name][key], part, size) for key, part in found.items()):
            del decided.words[name]
            continue
        decided.parts.update({id(owned[name][key]): part for key, part in found.items()})
    for path, module in modules.items():
        _decide_heads(path, module, decided, size)
    for name, word in decided.words.items():
        for key, parameter in owned[name].items():
            _check_width(key, parameter, decided.parts.get(id(parameter), Part()), word, size)
    return decided


def own_parameters(module: nn.Module, path: str) -> dict[str, nn.Parameter]:
    """Those of a module itself, by their names in the model."""
    prefix = f"{path}." if path else ""
    return {prefix + name: value for name, value in module._parameters.items() if value is not None}


def _parts(name: str, word: str, module: nn.Module | None, owned: Mapping[str, nn.Parameter]) -> dict[str, Part]:
    """How each parameter that a word speaks of is divided; those that stay whole are left out."""
    if module is None:
        if word not in ("colwise", "rowwise"):
            raise ParallelError(f"{name} is a parameter, and the plan says {word} of it: colwise or rowwise is needed")
        (parameter,) = owned.values()
        return {name: Part(parameter.dim() - (2 if word == "colwise" else 1))}
    if word in ("moe_tp_experts", "replicated", "replicated_with_grad_allreduce"):
        return {}
    needed: type[nn.Module] = nn.Embedding if word.startswith("embedding") else nn.Linear
    if not isinstance(module, needed):
        if isinstance(getattr(module, "base_layer", None), needed):  # PEFT puts it there
            raise ParallelError(
                f"{name} carries an adapter ({type(module).__module__}), and what it adds is not divided over "
                "processes: train adapters with copies of the model (DDP) or with fsdp, or merge them first"
            )
        raise ParallelError(
            f"the plan says {word} of {name}, which is a {type(module).__name__} and no {needed.__name__}"
        )
    if word in ("rowwise", "embedding_colwise", *PIECES):
        return {f"{name}.weight": Part(1)}
    return {key: Part(0) for key in owned}


def _does_not_divide(parameter: Tensor, part: Part, size: int) -> bool:
    return part.dim is not None and parameter.shape[part.dim] % size != 0


def _check_width(key: str, parameter: Tensor, part: Part, word: str, size: int) -> None:
    if part.dim is not None and _does_not_divide(parameter, part, size):
        raise ParallelError(
            f"{key} is {tuple(parameter.shape)}: {parameter.shape[part.dim]} cannot be divided ({word}) over {size} "
            "processes. Use a number of processes that divides it"
        )
    if word in PIECES and parameter.shape[0] % (PIECES[word] * size):
        raise ParallelError(
            f"{key} is {tuple(parameter.shape)}: {parameter.shape[0]} in {PIECES[word]} pieces cannot be divided "
            f"({word}) over {size} processes. Use a number of processes that divides a piece"
        )


def _decide_heads(path: str, module: nn.Module, decided: Decided, size: int) -> None:
    """Divide the numbers of heads, `heads` and `kv_heads`, of a module whose projections are divided."""
    inside = [f"{path}.{name}" if path else name for name, _ in module.named_children()]
    heads, kv_heads = module.__dict__.get("heads"), module.__dict__.get("kv_heads")
    if not isinstance(heads, int) or not any(decided.words.get(one) in ("colwise", *PIECES) for one in inside):
        return
    if heads % size:
        raise ParallelError(
            f"{path} has {heads} heads, which {size} processes cannot share evenly. Use a number that divides {heads}"
        )
    decided.counts[path] = {"heads": heads // size}
    if not isinstance(kv_heads, int):
        return
    if kv_heads % size and size % kv_heads:
        raise ParallelError(
            f"{path} has {kv_heads} key/value heads, which {size} processes cannot share: one number has to divide the "
            "other"
        )
    decided.counts[path]["kv_heads"] = max(kv_heads // size, 1)
    if kv_heads < size:
        for name in KEYS_AND_VALUES:
            decided.repeated[f"{path}.{name}"] = size // kv_heads
            for parameter in module.get_submodule(name).parameters():
                decided.parts.pop(id(parameter), None)
