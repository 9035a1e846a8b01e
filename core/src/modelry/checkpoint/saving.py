"""save_pretrained: a folder that any reader of the format understands.

All files are written aside, and renamed when the last one is complete: until then an older save there is whole.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from modelry.atomic import written_aside
from modelry.checkpoint.dtypes import dtype_name
from modelry.checkpoint.naming import packed_names, table_of
from modelry.checkpoint.placement import size_in_bytes
from modelry.checkpoint.safetensors_writing import layout, write_safetensors
from modelry.checkpoint.shards import INDEX, WEIGHTS
from modelry.config_file import CONFIG_NAME, config_text
from modelry.errors import CheckpointError
from modelry.parallel.state import is_divided
from modelry.tying import tied_names

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

GENERATION_CONFIG_NAME = "generation_config.json"

_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")


def save_model(model: "PreTrainedModel", folder: Path, *, max_shard_size: str | int = "10GB") -> None:
    """Write a model's tensors, configuration and generation configuration into a folder.

    Where the model is spread over processes all of them call it, and the first one writes.

    Raises:
        CheckpointError: a tensor has no values (meta device), or `folder` is a file.
        OSError: the disk is full or the folder not writable; the files that were there are whole.
    """
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; a folder to save into is needed")
    limit = size_in_bytes(max_shard_size)
    config = model.config.model_copy()
    config.architectures = [type(model).__name__]
    config.dtype = dtype_name(model.dtype)
    config.quantization_config = None if model.hf_quantizer is None else model.hf_quantizer.to_config()
    gathering = None
    if is_divided(model):
        from modelry.parallel.saving import Gathering

        gathering = Gathering(model)
    files = _named(_shards(stored_tensors(model) if gathering is None else gathering.shapes, limit))
    texts = {CONFIG_NAME: config_text(config)}
    if model.has_generation_config:
        texts[GENERATION_CONFIG_NAME] = model.generation_config.to_json_string()
    if len(files) > 1:
        texts[INDEX] = _index(files)
    if gathering is None:
        _write(folder, files, texts, after_each=None if model.offloaded is None else model.offloaded.release)
        return
    with gathering.together(name for tensors in files.values() for name in layout(tensors)[1]):
        if gathering.writes:
            _write(folder, files, texts, fetch=gathering.tensor)


def _write(
    folder: Path,
    files: Mapping[str, Mapping[str, Tensor]],
    texts: Mapping[str, str],
    *,
    fetch: Callable[[str], Tensor] | None = None,
    after_each: Callable[[Tensor], None] | None = None,
) -> None:
    try:
        with ExitStack() as until_all_are_written:
            for name, tensors in files.items():
                aside = until_all_are_written.enter_context(written_aside(folder / name))
                write_safetensors(aside, tensors, fetch=fetch, after_each=after_each)
                _flush(aside)
            for name, text in texts.items():
                aside = until_all_are_written.enter_context(written_aside(folder / name))
                aside.write_text(text, encoding="utf-8")
                _flush(aside)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # a full disk does not say which one
            error.filename = str(folder)
        raise
    for path in folder.iterdir():  # of an older save with another number of shards
        if path.name not in {*files, *texts} and (path.name in (WEIGHTS, INDEX) or _SHARD.fullmatch(path.name)):
            path.unlink()


def _flush(path: Path) -> None:
    """Wait until the disk has a file: some say only then that they are full, and no file may have been renamed yet."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def stored_tensors(model: "PreTrainedModel") -> dict[str, Tensor]:
    """What is written, by published name: tied tensors once, in the model's order.

    Raises:
        CheckpointError: a tensor has no values.
    """
    ours = model.state_dict()
    for name, source in tied_names(model).items():
        if name in ours and source in ours and ours[name].data_ptr() == ours[source].data_ptr():
            del ours[name]
    empty = sorted(name for name, tensor in ours.items() if tensor.is_meta)
    if empty:
        raise CheckpointError(f"{type(model).__name__} cannot be saved: {', '.join(empty[:5])} has no values")
    stored: dict[str, Tensor] = {}
    lengths = {name: tensor.shape[0] for name, tensor in ours.items() if tensor.dim()}
    packed = packed_names(model.state_dict(keep_vars=True))
    for step in table_of(model).writing(ours, lengths, packed=packed):
        stored.update(zip(step.stored, step.row.write([ours[name] for name in step.ours]), strict=True))
    return stored


def _shards(tensors: Mapping[str, Tensor], limit: int) -> list[dict[str, Tensor]]:
    """Fill shards in the model's order; one tensor above the limit has a shard for itself."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    return shards


def _named(shards: list[dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """File name to tensors."""
    if len(shards) == 1:
        return {WEIGHTS: shards[0]}
    count = len(shards)
    return {f"model-{number:05d}-of-{count:05d}.safetensors": shard for number, shard in enumerate(shards, 1)}


def _index(files: Mapping[str, Mapping[str, Tensor]]) -> str:
    places = {name: file for file, tensors in files.items() for name in tensors}
    total = sum(tensor.nbytes for tensors in files.values() for tensor in tensors.values())
    return json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}, indent=2) + "\n"
