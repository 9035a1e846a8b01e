"""What a Whisper in CTranslate2's layout is, as published configurations say it. Plain data, no torch.

It is made of the tensors' shapes, the numbers in the file, and the tokens of the tokenizer beside it.
"""

import json
import re
import struct
from collections.abc import Mapping
from typing import Any

from modelry.config_file import read_json_object
from modelry.errors import CheckpointError
from modelry_ctranslate2.container import Container, StoredTensor

ACTIVATIONS = {0: "relu", 1: "gelu_new", 2: "silu", 3: "gelu"}
"""CTranslate2's numbers of activations; those that a Whisper may have."""
FEATURES = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "sampling_rate": 16000,
    "n_fft": 400,
    "hop_length": 160,
    "chunk_length": 30,
    "padding_value": 0.0,
    "padding_side": "right",
    "return_attention_mask": False,
}
"""The same for every published Whisper, but for the number of mel bins."""
_LANGUAGE = re.compile(r"<\|[a-z]{2,3}\|>")
TASKS = ("translate", "transcribe")


def config_values(container: Container) -> dict[str, Any]:
    """The values of config.json."""
    vocabulary, width = _shape(container, "decoder/embeddings/weight", 2)
    return {
        "model_type": "whisper",
        "architectures": ["WhisperForConditionalGeneration"],
        "is_encoder_decoder": True,
        "vocab_size": vocabulary,
        "d_model": width,
        "num_mel_bins": _shape(container, "encoder/conv1/weight", 3)[1],
        "encoder_layers": _layers(container, "encoder"),
        "decoder_layers": _layers(container, "decoder"),
        "num_hidden_layers": _layers(container, "encoder"),
        "encoder_attention_heads": _number(container, "encoder/num_heads"),
        "decoder_attention_heads": _number(container, "decoder/num_heads"),
        "encoder_ffn_dim": _shape(container, "encoder/layer_0/ffn/linear_0/weight", 2)[0],
        "decoder_ffn_dim": _shape(container, "decoder/layer_0/ffn/linear_0/weight", 2)[0],
        "max_source_positions": _shape(container, "encoder/position_encodings/encodings", 2)[0],
        "max_target_positions": _shape(container, "decoder/position_encodings/encodings", 2)[0],
        "activation_function": _activation(container),
        "tie_word_embeddings": True,
        **_tokens(container),
    }


def generation_values(container: Container) -> dict[str, Any]:
    """The values of generation_config.json."""
    beside, ids = _beside(container), _token_ids(container)
    languages = {name: number for name, number in ids.items() if _LANGUAGE.fullmatch(name)}
    multilingual = "<|fr|>" in languages and _number_of_rows(container) >= 51865
    values: dict[str, Any] = {
        **_tokens(container),
        "max_length": _shape(container, "decoder/position_encodings/encodings", 2)[0],
        "is_multilingual": multilingual,
        "return_timestamps": False,
    }
    for ours, theirs in {"suppress_tokens": "suppress_ids", "begin_suppress_tokens": "suppress_ids_begin"}.items():
        if isinstance(beside.get(theirs), list):
            values[ours] = beside[theirs]
    if isinstance(beside.get("alignment_heads"), list):
        values["alignment_heads"] = beside["alignment_heads"]
    if "<|notimestamps|>" in ids:
        values["no_timestamps_token_id"] = ids["<|notimestamps|>"]
    if "<|startofprev|>" in ids:
        values["prev_sot_token_id"] = ids["<|startofprev|>"]
    if multilingual:
        known = set(beside.get("lang_ids") or languages.values())
        values["lang_to_id"] = {name: number for name, number in languages.items() if number in known}
        values["task_to_id"] = {task: ids[f"<|{task}|>"] for task in TASKS if f"<|{task}|>" in ids}
    return values


def preprocessor_values(container: Container) -> dict[str, Any]:
    """The values of preprocessor_config.json; the file beside, where there is one, is right."""
    path = container.path.parent / "preprocessor_config.json"
    if path.is_file():
        return read_json_object(path)
    return {**FEATURES, "feature_size": _shape(container, "encoder/conv1/weight", 3)[1]}


def tokenizer_files(container: Container) -> Mapping[str, bytes | str] | None:
    """tokenizer.json and tokenizer_config.json; None where no tokenizer.json lies beside."""
    folder = container.path.parent
    if not (folder / "tokenizer.json").is_file():
        return None
    end = "<|endoftext|>"
    settings = json.dumps(
        {"tokenizer_class": "WhisperTokenizer", "bos_token": end, "eos_token": end, "unk_token": end, "pad_token": end}
    )
    beside = folder / "tokenizer_config.json"
    return {
        "tokenizer.json": (folder / "tokenizer.json").read_bytes(),
        "tokenizer_config.json": beside.read_bytes() if beside.is_file() else settings,
    }


def _tokens(container: Container) -> dict[str, int]:
    """Ids of the tokens that begin and end a transcript."""
    ids = _token_ids(container)
    end, start = ids.get("<|endoftext|>"), ids.get("<|startoftranscript|>")
    if end is None or start is None:  # without a tokenizer: as published, by the size of the vocabulary
        end = 50256 if _number_of_rows(container) == 51864 else 50257
        start = end + 1
    return {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}


def _token_ids(container: Container) -> dict[str, int]:
    """The special tokens of the tokenizer beside."""
    path = container.path.parent / "tokenizer.json"
    if not path.is_file():
        return {}
    added = read_json_object(path, largest_bytes=100_000_000).get("added_tokens")
    found = {one.get("content"): one.get("id") for one in added or () if isinstance(one, dict)}
    return {name: number for name, number in found.items() if isinstance(name, str) and isinstance(number, int)}


def _beside(container: Container) -> dict[str, Any]:
    path = container.path.parent / "config.json"
    return read_json_object(path) if path.is_file() else {}


def _layers(container: Container, side: str) -> int:
    numbers = {name.split("/")[1] for name in container.tensors if name.startswith(f"{side}/layer_")} - {"layer_norm"}
    expected = {f"layer_{number}" for number in range(len(numbers))}
    if not numbers or numbers != expected:
        raise CheckpointError(f"{container.path}: the {side}'s layers are {sorted(numbers)}, not one after the other")
    return len(numbers)


def _number_of_rows(container: Container) -> int:
    return _shape(container, "decoder/embeddings/weight", 2)[0]


def _shape(container: Container, name: str, dimensions: int) -> tuple[int, ...]:
    shape = _stored(container, name).shape
    if len(shape) != dimensions:
        raise CheckpointError(
            f"{container.path}: {name!r} has the shape {list(shape)}; {dimensions} dimensions were due"
        )
    return shape


def _activation(container: Container) -> str:
    number = _number(container, "encoder/activation") if "encoder/activation" in container.tensors else 3
    if number not in ACTIVATIONS:
        known = ", ".join(f"{key} ({name})" for key, name in ACTIVATIONS.items())
        raise CheckpointError(f"{container.path}: its activation is number {number}; these are known: {known}")
    return ACTIVATIONS[number]


def _number(container: Container, name: str) -> int:
    """A number that the file keeps as a tensor without dimensions."""
    tensor = _stored(container, name)
    forms = {"int8": "<b", "int16": "<h", "int32": "<i"}
    if tensor.shape or tensor.dtype not in forms:
        raise CheckpointError(
            f"{container.path}: {name!r} is {tensor.dtype} {list(tensor.shape)}, not one whole number"
        )
    with container.path.open("rb") as file:
        file.seek(tensor.start)
        found: int = struct.unpack(forms[tensor.dtype], file.read(tensor.nbytes))[0]
    return found


def _stored(container: Container, name: str) -> StoredTensor:
    if name not in container.tensors:
        raise CheckpointError(f"{container.path} lacks {name!r}, which every Whisper has")
    return container.tensors[name]
