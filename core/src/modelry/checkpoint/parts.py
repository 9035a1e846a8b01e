"""The parts of a model that stay together on one device: its layers whole, and what shares weights with each other."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Part:
    """What is placed as one."""

    paths: tuple[str, ...]
    """Modules, or a tensor that belongs to no layer; more than one where they share a weight."""
    size: int
    """Bytes of the tensors, shared ones once."""
    cache: int = 0
    """Bytes of keys and values that it will remember."""
    loose: bool = False
    """Tensors of a module that is itself divided: they stay in memory, since nobody could fetch them in time."""


def parts_of(
    model: nn.Module,
    sizes: Mapping[str, int],
    tied: Mapping[str, str] | None = None,
    caches: Mapping[str, int] | None = None,
) -> list[Part]:
    """The parts in the model's order: each member of a list of layers, and else modules without such a list.

    Args:
        sizes: bytes of each tensor, by name.
        tied: tensor to the one it is.
        caches: bytes that a layer will remember, by its path.
    """
    shared = {name: source for name, source in (tied or {}).items() if name in sizes and source in sizes}
    found = list(blocks(model))
    known = {path for path, _ in found}
    owner = {name: owner_of(name, known) for name in sizes}
    leader = {path: path for path, _ in found}  # of those that share a weight, the first
    order = {path: number for number, (path, _) in enumerate(found)}
    for name, source in shared.items():
        one, other = (_first(leader, owner[each]) for each in (name, source))
        leader[max(one, other, key=order.__getitem__)] = min(one, other, key=order.__getitem__)
    together: dict[str, list[str]] = {}
    for path, _ in found:
        together.setdefault(_first(leader, path), []).append(path)
    totals = dict.fromkeys(together, 0)
    for name, size in sizes.items():
        if name not in shared:
            totals[_first(leader, owner[name])] += size
    loose = dict(found)
    return [
        Part(tuple(paths), totals[first], sum((caches or {}).get(path, 0) for path in paths), loose[first])
        for first, paths in together.items()
    ]


def blocks(model: nn.Module, path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield each path that is not divided, and whether it is a tensor of a module that is.

    A layer is a member of a list of modules, whatever lists are inside it: the experts of a mixture and the stages of
    a layer are added to what goes around them, so they have to be where it is. Lists and dictionaries of modules are
    never called themselves, so their members are the parts.
    """
    prefix = f"{path}." if path else ""
    for name, _ in (*model.named_parameters(recurse=False), *model.named_buffers(recurse=False)):
        yield prefix + name, True
    listed = isinstance(model, nn.ModuleList)
    for name, child in model.named_children():
        inside = (child,) if listed else child.modules()
        if any(isinstance(inner, nn.ModuleList | nn.ModuleDict) for inner in inside):
            yield from blocks(child, prefix + name)
        else:
            yield prefix + name, False


def layer_classes(model: nn.Module) -> list[str]:
    """Names of the classes of layers, which stay whole: packages that place or shard a model ask for them."""
    lists = {path for path, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    whole = (path for path, _ in blocks(model) if path.rpartition(".")[0] in lists)
    return sorted({type(model.get_submodule(path)).__name__ for path in whole})


def owner_of(name: str, known: Collection[str]) -> str:
    """The path among `known` that a tensor is under."""
    path = name
    while path not in known:
        path = path.rpartition(".")[0]
    return path


def _first(leader: Mapping[str, str], path: str) -> str:
    while leader[path] != path:
        path = leader[path]
    return path
