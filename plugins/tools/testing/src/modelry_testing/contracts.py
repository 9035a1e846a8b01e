"""Which contracts a plugin of a kind has to keep, for running them by name."""

from modelry_registry import ModelFamily, Registry, UnknownName
from modelry_testing.contract import Contract, PluginContract
from modelry_testing.decoder_contract import DecoderContract
from modelry_testing.model_contract import ModelContract
from modelry_testing.quantizer_contract import QuantizerContract
from modelry_testing.task_contract import TaskContract
from modelry_testing.tokenizer_contract import TokenizerContract

KINDS: dict[str, type[Contract]] = {
    "models": ModelContract,
    "tasks": TaskContract,
    "decoders": DecoderContract,
    "quantizers": QuantizerContract,
    "attention": PluginContract,
    "checkpoints": PluginContract,
    "commands": PluginContract,
    "hooks": PluginContract,
}


def contracts_of(name: str, *, kind: str | None = None, registry: Registry) -> list[type[Contract]]:
    """The contracts of every plugin called `name`, or of every one that the distribution `name` has.

    Raises:
        UnknownName: no enabled plugin, or none of this kind, has the name.
    """
    found = {
        (one.kind, one.name): None
        for one in registry.candidates
        if kind in (None, one.kind) and name in (one.name, one.distribution) and registry.usable(one)
    }
    if not found:
        where = f"kind {kind!r}" if kind is not None else "any kind"
        raise UnknownName(f"no installed plugin of {where} is called {name!r}. Run: modelry plugins list")
    made = []
    for one, key in found:
        made.append(_about(KINDS[one], one, key, registry))
        if one == "models" and _has_tokenizer(key, registry):
            made.append(_about(TokenizerContract, one, key, registry))
    return made


def _about(contract: type[Contract], kind: str, name: str, registry: Registry) -> type[Contract]:
    words = "".join(part.capitalize() for part in name.replace("-", "_").replace(".", "_").split("_"))
    said = {"kind": kind, "name": name, "registry": registry}
    return type(f"{words}{contract.__name__}", (contract,), said)


def _has_tokenizer(name: str, registry: Registry) -> bool:
    try:
        spec = registry.get("models", name)
    except Exception:
        return False  # the model contract says what is wrong with it
    return isinstance(spec, ModelFamily) and "tokenizer" in spec.preprocessors
