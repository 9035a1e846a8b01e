"""What the files of a sentence encoder say beside the model itself: reading and writing them. No tensors here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from modelry.atomic import write_text
from modelry.errors import PreprocessorError
from modelry.hub import Source
from modelry_sentence_embedding.pooling import PoolingName
from modelry_sentence_embedding.similarity import SimilarityName

MODULES = "modules.json"
LENGTH = "sentence_bert_config.json"
EXTRAS = "config_sentence_transformers.json"
POOLING_FOLDER, NORMALIZE_FOLDER = "1_Pooling", "2_Normalize"
OLD_KEYS: Mapping[str, PoolingName] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Keys that are true in files without `pooling_mode`, in the order in which the vectors are joined."""


@dataclass(frozen=True)
class SentenceEncoder:
    """How a checkpoint makes a vector of a text."""

    pooling: tuple[PoolingName, ...] = ("mean",)
    normalize: bool = False
    include_prompt: bool = True
    """Whether the tokens of a prompt are pooled with the others."""
    max_length: int | None = None
    lower_case: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    similarity: SimilarityName = "cosine"


def read_encoder(source: Source) -> SentenceEncoder:
    """Read what a folder or repository says; the defaults where it says nothing.

    Raises:
        PreprocessorError: a file is no JSON of its kind, or names a step that is not known.
    """
    values: dict[str, Any] = {}
    for step in _read(source, MODULES, []):
        kind = str(step.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            values |= _pooling(_read(source, f"{step.get('path')}/config.json", {}), source)
        elif kind == "Normalize":
            values["normalize"] = True
        elif kind != "Transformer":
            raise PreprocessorError(
                f"{source.name}: {MODULES} has a step {kind!r}; known are Transformer, Pooling and Normalize"
            )
    length = _read(source, LENGTH, {})
    extras = _read(source, EXTRAS, {})
    similarity = extras.get("similarity_fn_name") or "cosine"
    if similarity not in get_args(SimilarityName):
        raise PreprocessorError(
            f"{source.name}: {EXTRAS} names the similarity {similarity!r}; known are "
            f"{', '.join(get_args(SimilarityName))}"
        )
    return SentenceEncoder(
        **values,
        max_length=length.get("max_seq_length"),
        lower_case=bool(length.get("do_lower_case")),
        prompts=extras.get("prompts") or {},
        default_prompt=extras.get("default_prompt_name"),
        similarity=cast(SimilarityName, similarity),
    )


def write_encoder(encoder: SentenceEncoder, folder: Path, *, width: int) -> None:
    """Write the files that `read_encoder` reads.

    Args:
        width: D, of a token's hidden state.
    """
    steps = [("", "Transformer"), (POOLING_FOLDER, "Pooling")]
    steps += [(NORMALIZE_FOLDER, "Normalize")] if encoder.normalize else []
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(steps)
    ]
    pooling: dict[str, Any] = {old: name in encoder.pooling for old, name in OLD_KEYS.items()}
    pooling |= {"word_embedding_dimension": width, "include_prompt": encoder.include_prompt}
    length = {"max_seq_length": encoder.max_length, "do_lower_case": encoder.lower_case}
    extras = {
        "prompts": dict(encoder.prompts),
        "default_prompt_name": encoder.default_prompt,
        "similarity_fn_name": encoder.similarity,
    }
    for name, content in (
        (MODULES, modules),
        (f"{POOLING_FOLDER}/config.json", pooling),
        (LENGTH, length),
        (EXTRAS, extras),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, json.dumps(content, indent=2) + "\n")


def _pooling(config: Mapping[str, Any], source: Source) -> dict[str, Any]:
    mode = config.get("pooling_mode")
    if mode is None:
        mode = [name for key, name in OLD_KEYS.items() if config.get(key)] or "mean"
    names = tuple([mode] if isinstance(mode, str) else mode)
    unknown = [name for name in names if name not in get_args(PoolingName)]
    if unknown:
        raise PreprocessorError(f"{source.name} pools by {unknown[0]!r}; known are {', '.join(get_args(PoolingName))}")
    return {"pooling": names, "include_prompt": bool(config.get("include_prompt", True))}


def _read(source: Source, name: str, absent: Any) -> Any:
    path = source.file(name, required=False)
    if path is None:
        return absent
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise PreprocessorError(f"{path} is no JSON: {error}") from error
    kind = type(absent)
    if not isinstance(found, kind) or (kind is list and not all(isinstance(one, dict) for one in found)):
        raise PreprocessorError(f"{path} holds a {type(found).__name__}, and should hold a {kind.__name__}")
    return found
