"""save_pretrained: a folder that any reader of the format understands.

All files are written aside, and renamed when the last one is complete: until then an older save there is whole.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from modelry.atomic import written_aside
from modelry.checkpoint.dtypes import dtype_name
from modelry.checkpoint.naming import packed_names, table_of
from modelry.checkpoint.placement import size_in_bytes
from modelry.checkpoint.safetensors_writing import layout, write_safetensors
from modelry.checkpoint.shards import INDEX, WEIGHTS, named_variant
from modelry.config_file import CONFIG_NAME, config_text
from modelry.errors import CheckpointError
from modelry.parallel.state import is_divided
from modelry.tying import tied_names

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

GENERATION_CONFIG_NAME = "generation_config.json"

PUSHING = frozenset(("repo_id", "commit_message", "private", "token", "revision", "create_pr"))
"""What save_pretrained may be told for push_to_hub."""


@dataclass(frozen=True, kw_only=True)
class SaveOptions:
    """How a model is to be saved, under the ecosystem's names."""

    max_shard_size: str | int = "10GB"
    """Bytes, or with KB, MB, GB, KiB, MiB, GiB."""
    state_dict: Mapping[str, Tensor] | None = None
    """The tensors, under the model's own names, where they are not those that it holds: gathered by somebody else."""
    variant: str | None = None
    """A word in the names of the files, as from_pretrained takes it: "fp16" of model.fp16.safetensors."""
    is_main_process: bool = True
    """False: another process writes. Where the model is divided, the first of all does, whatever is said here."""
    safe_serialization: bool = True
    save_function: Any = None
    """What would write a file elsewhere: of no effect, all files are safetensors and written whole."""
    save_peft_format: bool = True
    """Of no effect: a model with adapters is saved by the package that has them."""

    def __post_init__(self) -> None:
        if not self.safe_serialization:
            raise CheckpointError(
                "safe_serialization=False asks for a pickled file, which can run any code when it is read; none is "
                "written. Leave it out: safetensors files are written"
            )
        if self.variant is not None and not re.fullmatch(r"[a-z0-9_]+", self.variant):
            raise CheckpointError(f"variant {self.variant!r} cannot be read back; use a-z, 0-9 and '_', as in \"fp16\"")


def split_save_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part save_pretrained's keyword arguments into those of `SaveOptions` and those of pushing.

    Raises:
        TypeError: one is neither.
    """
    names = {one.name for one in fields(SaveOptions)}
    unknown = sorted(options.keys() - names - PUSHING)
    if unknown:
        raise TypeError(
            f"a model cannot be saved with {', '.join(unknown)}: {', '.join(sorted(names))} are known, and for pushing "
            f"{', '.join(sorted(PUSHING))}"
        )
    saving = {key: value for key, value in options.items() if key in names}
    return saving, {key: value for key, value in options.items() if key in PUSHING}


def save_model(model: "PreTrainedModel", folder: Path, **options: Any) -> None:
    """Write a model's tensors, configuration and generation configuration into a folder. Options: see `SaveOptions`.

    Where the model is spread over processes all of them call it, and the first one writes.

    Raises:
        CheckpointError: a tensor has no values (meta device), or `folder` is a file.
        OSError: the disk is full or the folder not writable; the files that were there are whole.
    """
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; a folder to save into is needed")
    how = SaveOptions(**options)
    limit = size_in_bytes(how.max_shard_size)
    divided = how.state_dict is None and is_divided(model)
    if not how.is_main_process and not divided:
        return
    config = model.config.model_copy()
    config.architectures = [type(model).__name__]
    config.dtype = dtype_name(model.dtype)
    config.quantization_config = None if model.hf_quantizer is None else model.hf_quantizer.to_config()
    gathering = None
    if divided:
        from modelry.parallel.saving import Gathering

        gathering = Gathering(model)
    tensors = stored_tensors(model, how.state_dict) if gathering is None else gathering.shapes
    files = _named(_shards(tensors, limit), how.variant)
    texts = {CONFIG_NAME: config_text(config)}
    if model.has_generation_config:
        texts[GENERATION_CONFIG_NAME] = model.generation_config.to_json_string()
    if len(files) > 1:
        texts[named_variant(INDEX, how.variant)] = _index(files)
    if gathering is None:
        _write(folder, files, texts, after_each=None if model.offloaded is None else model.offloaded.release)
        _remove_older(folder, {*files, *texts}, how.variant)
        return
    with gathering.together(name for tensors in files.values() for name in layout(tensors)[1]):
        if gathering.writes:
            _write(folder, files, texts, fetch=gathering.tensor)
            _remove_older(folder, {*files, *texts}, how.variant)


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


def _remove_older(folder: Path, written: set[str], variant: str | None) -> None:
    """Delete weights of an older save with another number of shards."""
    whole = {named_variant(WEIGHTS, variant), named_variant(INDEX, variant)}
    shard = re.compile(re.escape(_shard(variant, "#", "#")).replace("\\#", r"\d{5}"))
    for path in folder.iterdir():
        if path.name not in written and (path.name in whole or shard.fullmatch(path.name)):
            path.unlink()


def _flush(path: Path) -> None:
    """Wait until the disk has a file: some say only then that they are full, and no file may have been renamed yet."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def stored_tensors(model: "PreTrainedModel", given: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """What is written, by published name: tied tensors once, in the model's order.

    Args:
        given: instead of the model's own tensors.

    Raises:
        CheckpointError: a tensor has no values, or those given are not the model's.
    """
    ours = model.state_dict() if given is None else _given(model, given)
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


def _given(model: "PreTrainedModel", given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that somebody else has gathered, held against the model: all of it, and nothing else."""
    own, tied = model.state_dict(keep_vars=True), tied_names(model)
    unknown = sorted(given.keys() - own.keys())
    absent = [name for name in own if name not in given and tied.get(name) not in given]
    other = [name for name in own if name in given and given[name].shape != own[name].shape]
    for names, what in ((unknown, "has, and the model has not,"), (absent, "lacks"), (other, "has in another shape")):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise CheckpointError(f"the state_dict to be saved {what} {', '.join(names[:5])}{more}")
    return {name: given[name] for name in own if name in given}


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


def _named(shards: list[dict[str, Tensor]], variant: str | None) -> dict[str, dict[str, Tensor]]:
    """File name to tensors."""
    if len(shards) == 1:
        return {named_variant(WEIGHTS, variant): shards[0]}
    count = f"{len(shards):05d}"
    return {_shard(variant, f"{number:05d}", count): shard for number, shard in enumerate(shards, 1)}


def _shard(variant: str | None, number: str, count: str) -> str:
    stem, _, suffix = named_variant(WEIGHTS, variant).rpartition(".")
    return f"{stem}-{number}-of-{count}.{suffix}"


def _index(files: Mapping[str, Mapping[str, Tensor]]) -> str:
    places = {name: file for file, tensors in files.items() for name in tensors}
    total = sum(tensor.nbytes for tensors in files.values() for tensor in tensors.values())
    return json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}, indent=2) + "\n"
