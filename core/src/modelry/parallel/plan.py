"""The plan of a model: which modules are divided over processes, and how. Patterns and words; nothing is changed here.

A pattern is a dotted name in which `*` stands for one part ("layers.*.mlp.up_proj"); a word is the ecosystem's:

    colwise                        a linear layer's outputs are divided; each process goes on with its own. Of stacked
                                   weights (experts): the last dimension but one
    rowwise                        its inputs are divided, and the processes' results added up. Of stacked weights: the
                                   last dimension
    packed_colwise                 as colwise, of two layers that lie in one: each one's outputs are divided
    qkv_colwise                    the same of three, queries, keys and values
    colwise_gather_output          as colwise, and each process has all outputs; older name: colwise_rep
    embedding_rowwise              an embedding's rows (the vocabulary) are divided, and the results added up
    embedding_colwise              an embedding's columns are divided
    moe_tp_experts                 experts whose own weights are divided: their results are added up
    replicated                     whole in each process, as what no pattern names is
    replicated_with_grad_allreduce whole in each process, and applied to what the process has for itself alone

A vocabulary that the processes do not divide stays whole.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from modelry.errors import ParallelError

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

WORDS = frozenset(
    [
        "colwise",
        "rowwise",
        "packed_colwise",
        "qkv_colwise",
        "colwise_gather_output",
        "embedding_rowwise",
        "embedding_colwise",
        "moe_tp_experts",
        "replicated",
        "replicated_with_grad_allreduce",
    ]
)
OLDER_WORDS = {"colwise_rep": "colwise_gather_output", "vocab_parallel": "embedding_rowwise"}


def plan_of(model_or_config: Any) -> Mapping[str, str]:
    """Pattern to word, of a model with all models inside it, or of a configuration alone; empty where there is none.

    The projection onto a vocabulary follows the input embedding: where that is divided, so is the projection.

    Args:
        model_or_config: a model, whose patterns begin at itself; or a configuration, whose begin at its base model.
    """
    from modelry.configuration import ModelConfig

    if isinstance(model_or_config, ModelConfig):
        return dict(model_or_config.tp_plan)
    model: PreTrainedModel = model_or_config
    roots = _roots(model)
    found = {f"{path}{pattern}": word for path, plan in roots.items() for pattern, word in plan.items()}
    for path, head in _heads(model).items():
        below = (plan for root, plan in roots.items() if root.startswith(path))
        if any("embedding_rowwise" in plan.values() for plan in below):
            found[f"{path}{head}"] = "colwise_gather_output"
    return found


def _roots(model: "PreTrainedModel") -> dict[str, Mapping[str, str]]:
    """Where each family's plan begins in a model, and the plan. Stacks inside a model are part of its plan."""
    from modelry.model import PreTrainedModel

    found: dict[str, Mapping[str, str]] = {}
    inside: list[tuple[str, type]] = []
    for name, part in model.named_modules():
        if not isinstance(part, PreTrainedModel):
            continue
        path, config = f"{name}." if name else "", part.config
        if any(path.startswith(outer) and isinstance(config, kind) for outer, kind in inside):
            continue
        if part.base_model is not part:
            path = f"{path}{part.base_model_prefix}."
        inside.append((path, type(config)))
        if config.tp_plan:
            found[path] = config.tp_plan
    return found


def _heads(model: "PreTrainedModel") -> dict[str, str]:
    """Path of each model with a projection onto a vocabulary, to the projection's name."""
    from modelry.embeddings import output_embeddings
    from modelry.model import PreTrainedModel

    return {
        f"{name}." if name else "": part.output_embeddings_name
        for name, part in model.named_modules()
        if isinstance(part, PreTrainedModel) and output_embeddings(part) is not None
    }


def named_by(plan: Mapping[str, str], names: Iterable[str], *, model: str, strict: bool) -> dict[str, str]:
    """Name of each module or parameter that a plan names, to its word.

    Args:
        names: of all modules and parameters.
        model: its class, for errors.
        strict: every pattern must name something; otherwise those are passed over that name no part of a layer which
            the model has, since heads differ: a decoder's in an encoder, say.

    Raises:
        ParallelError: an unknown word, or a pattern that names nothing.
    """
    every = sorted(names)
    found: dict[str, str] = {}
    for pattern, word in plan.items():
        known = OLDER_WORDS.get(word, word)
        if known not in WORDS:
            close = get_close_matches(word, WORDS | OLDER_WORDS.keys(), 3, 0.4) or sorted(WORDS)
            raise ParallelError(f"the plan of {model} says {word!r} of {pattern}: no such way; meant {_or(close)}?")
        named = matching(pattern, every)
        if not named and (strict or _is_of_a_layer(pattern, every)):
            raise ParallelError(
                f"the plan of {model} names {pattern}, and nothing there is called so{_near(pattern, every)}"
            )
        found.update(dict.fromkeys(named, known))
    if not found:
        raise ParallelError(f"the plan of {model} names nothing that it has: {', '.join(list(plan)[:5])}")
    return found


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern stands for."""
    expression = re.compile(r"[^.]+".join(map(re.escape, pattern.split("*"))))
    return [name for name in names if expression.fullmatch(name)]


def _is_of_a_layer(pattern: str, names: Iterable[str]) -> bool:
    """Whether the model has the layer, numbered in a list, of which a pattern names a part."""
    return any(any(map(str.isdigit, name.split("."))) for name in matching(pattern.rpartition(".")[0], names))


def _near(pattern: str, names: Iterable[str]) -> str:
    generic = sorted({re.sub(r"(?<=\.)\d+(?=\.)", "*", name) for name in names})
    close = get_close_matches(pattern, generic, 3, 0.6)
    return f"; there is {_or(close)}" if close else ""


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)
