"""config.json on disk: finding it, reading it with suspicion, writing it with the plugin it belongs to."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelry.checkpoint.formats import carries_config, open_reader
from modelry.errors import ConfigError, ModelryWarning, NotFound, RegistryError
from modelry.hub import Source
from modelry_registry import get_registry
from modelry_registry.naming import NAME

if TYPE_CHECKING:
    from modelry.configuration import ModelConfig

CONFIG_NAME = "config.json"
PROVIDER_KEY = "modelry_provider"
"""Who wrote the file: "modelry-plugin-llama==0.1.0"."""

LARGEST_CONFIG_BYTES = 16 * 2**20
"""The largest published ones, with 100,000 labels, have 6 MB."""

BOOKKEEPING_KEYS = frozenset(
    (  # noqa: SIM905  a hundred quoted words would be a page
        # who wrote the file, and with what
        "_name_or_path _commit_hash _attn_implementation_autoset transformers_version auto_map tokenizer_class "
        "transformers.js_config model_name finetuning_task task_specific_params gradient_checkpointing torchscript "
        "use_bfloat16 return_dict return_dict_in_generate output_scores tf_legacy_loss keys_to_ignore_at_inference "
        "pretraining_tp attn_implementation num_labels "
        # moved to generation_config.json since
        "max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k "
        "top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size "
        "bad_words_ids num_return_sequences forced_bos_token_id forced_eos_token_id remove_invalid_values "
        "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens prefix "
        # defaults of every old file, of no effect outside their families
        "chunk_size_feed_forward cross_attention_hidden_size add_cross_attention tie_encoder_decoder pruned_heads "
        "sep_token_id decoder_start_token_id is_decoder path_norm output_past"
    ).split()
)
"""Published keys that never change a forward pass: kept without a warning."""


def read_config_file(source: Source) -> tuple[dict[str, Any], Path]:
    """The values of a source's configuration, and the file they are from.

    Raises:
        NotFound: there is none.
        ConfigError: it is no JSON object.
    """
    if source.single is None:
        path = source.file(CONFIG_NAME, required=False)
    elif source.single.suffix == ".json":
        path = source.single
    elif carries_config(source.single):
        return _carried_config(source.single), source.single
    else:
        path = source.single.parent / CONFIG_NAME
        path = path if path.is_file() else None
    if path is None:
        raise source.lacks(CONFIG_NAME)
    return read_json_object(path), path


def read_json_object(path: Path, *, largest_bytes: int = LARGEST_CONFIG_BYTES) -> dict[str, Any]:
    """Read one JSON object of a reasonable size.

    Raises:
        ConfigError: not JSON, no object, not UTF-8 or too large; names the file and the place.
    """
    try:
        size = path.stat().st_size
        if size > largest_bytes:
            raise ConfigError(f"{path} has {size:,} bytes; at most {largest_bytes:,} are read")
        values = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except ValueError as error:
        raise ConfigError(f"{path} holds a number of too many digits: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply to be a configuration") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}, not an object of keys and values")
    return values


def check_model_type(value: object, *, where: object) -> str:
    """Pass a model_type that can be a name; it comes from a file that anybody may have written.

    Raises:
        ConfigError: absent, not a string, or not a name.
    """
    if value is None or value == "":
        raise ConfigError(f'{where} has no model_type; add the one of the family it was made for, as in "llama"')
    if not isinstance(value, str) or not NAME.fullmatch(value):
        shown = repr(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}... ({len(shown):,} characters)"
        raise ConfigError(
            f"{where} has the model_type {shown}, which is no name: "
            "up to 64 of A-Z, a-z, 0-9, '-', '_' and '.' make one"
        )
    return value


def warn_of_other_provider(values: Mapping[str, Any], *, where: object, plugin: str | None = None) -> None:
    """Warn when another distribution wrote the file than will read it."""
    recorded, model_type = values.get(PROVIDER_KEY), values.get("model_type")
    if not isinstance(recorded, str) or not isinstance(model_type, str):
        return
    if model_type not in get_registry().names("models"):
        return
    now = get_registry().provider("models", model_type, plugin=plugin)
    if recorded.partition("==")[0] != now.distribution:
        warnings.warn(
            f"{where} was written by {recorded[:80]}, and {now.distribution}=={now.version} reads it: "
            "the two may understand its values differently",
            ModelryWarning,
            stacklevel=2,
        )


def config_text(config: "ModelConfig") -> str:
    """What config.json holds: the values, and the name and version of the plugin that the family is from."""
    values = config.to_dict()
    provider = _provider_of(config.model_type)
    if provider is not None:
        values[PROVIDER_KEY] = provider
    return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _provider_of(model_type: str) -> str | None:
    if model_type not in get_registry().names("models"):
        return None
    try:
        found = get_registry().provider("models", model_type)
    except RegistryError:
        return None
    return f"{found.distribution}=={found.version}"


def _carried_config(path: Path) -> dict[str, Any]:
    with open_reader(path) as reader:
        values = reader.config()
    if values is None:
        raise NotFound(f"{path} carries no configuration; give the folder that holds its {CONFIG_NAME}")
    return dict(values)
