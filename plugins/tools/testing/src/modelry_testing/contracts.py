"""Which contracts a plugin of a kind has to keep, for running them by name."""

from modelry_registry import ModelFamily, Registry, UnknownName
from modelry_testing.attention_contract import AttentionContract
from modelry_testing.contract import Contract, PluginContract
from modelry_testing.decoder_contract import DecoderContract
from modelry_testing.feature_extractor_contract import FeatureExtractorContract
from modelry_testing.image_processor_contract import ImageProcessorContract
from modelry_testing.model_contract import ModelContract
from modelry_testing.quantizer_contract import QuantizerContract
from modelry_testing.task_contract import TaskContract
from modelry_testing.tokenizer_contract import TokenizerContract
from modelry_testing.video_processor_contract import VideoProcessorContract

KINDS: dict[str, type[Contract]] = {
    "models": ModelContract,
    "tasks": TaskContract,
    "decoders": DecoderContract,
    "quantizers": QuantizerContract,
    "attention": AttentionContract,
    "checkpoints": PluginContract,
    "commands": PluginContract,
    "hooks": PluginContract,
    "optimizers": PluginContract,
    "schedules": PluginContract,
    "callbacks": PluginContract,
    "names": PluginContract,
}
ROLES: dict[str, type[Contract]] = {
    "tokenizer": TokenizerContract,
    "image-processor": ImageProcessorContract,
    "video-processor": VideoProcessorContract,
    "feature-extractor": FeatureExtractorContract,
}
"""Of a family's preprocessors, those that have checks of their own."""


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
        if one == "models":
            made += [_about(ROLES[role], one, key, registry) for role in _roles(key, registry)]
    return made


def _about(contract: type[Contract], kind: str, name: str, registry: Registry) -> type[Contract]:
    words = "".join(part.capitalize() for part in name.replace("-", "_").replace(".", "_").split("_"))
    said = {"kind": kind, "name": name, "registry": registry, "by_name": True}
    return type(f"{words}{contract.__name__}", (contract,), said)


def _roles(name: str, registry: Registry) -> list[str]:
    try:
        spec = registry.get("models", name)
    except Exception:
        return []  # the model contract says what is wrong with it
    return [role for role in ROLES if isinstance(spec, ModelFamily) and role in spec.preprocessors]
