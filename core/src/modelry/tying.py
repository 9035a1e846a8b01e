"""Which parameters are one: those that a family declares, of a model and of every model inside it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def tied_names(model: "PreTrainedModel") -> dict[str, str]:
    """Parameter to the one it is, under the names of the whole; each part as its own configuration says.

    Sources come before what is tied to them: in that order one pass makes them one.
    """
    from modelry.model import PreTrainedModel

    found: dict[str, str] = {}
    for path, part in reversed(list(model.named_modules())):
        if isinstance(part, PreTrainedModel):
            under = f"{path}." if path else ""
            tied = part.config.get_text_config().tie_word_embeddings
            for name, source in {**part.shared_weights, **(part.tied_weights if tied else {})}.items():
                found[under + name] = under + source
    return found


def tie(model: "PreTrainedModel") -> None:
    """Make tied parameters one parameter."""
    for name, source in tied_names(model).items():
        path, _, attribute = name.rpartition(".")
        tensors = model.get_submodule(path)._parameters
        if attribute in tensors:  # a quantizer may have replaced it
            owner, _, own = source.rpartition(".")
            tensors[attribute] = model.get_submodule(owner)._parameters[own]


def untie(model: "PreTrainedModel") -> None:
    """Say in the configuration of a model and of every model inside it that input and output embedding are two."""
    from modelry.model import PreTrainedModel

    for part in model.modules():
        if isinstance(part, PreTrainedModel):
            part.config.get_text_config().tie_word_embeddings = False
