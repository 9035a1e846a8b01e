"""`modelry quantize REF --scheme int4 OUT`: packs a model once, so that loading it packs nothing. Torch comes late."""

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelry.atomic import folder_written_aside
from modelry.cli.failures import fails_in_one_line
from modelry.cli.options import placement_options
from modelry.cli.places import new_folder
from modelry.cli.scheme_parameters import parameters_of, read_words
from modelry.cli.size_table import as_json, as_text, grouped, total

if TYPE_CHECKING:
    from modelry.hub import Source
    from modelry.model import PreTrainedModel
    from modelry.packed.measuring import Measured
    from modelry.quantization import Quantizer

STEPS = "modules.json"
"""What a sentence encoder does after its model, in folders of their own."""
BESIDE_STEPS = ("sentence_bert_config.json", "config_sentence_transformers.json")
OF_A_STEP = ("config.json", "model.safetensors")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="REF OUT [--PARAMETER VALUE]...")
@click.option("--scheme", required=True, help="Quantization scheme; `modelry plugins list` shows what is installed.")
@click.option("--push", metavar="REPO", help="Also upload the result, as organisation/repository.")
@click.option("--json", "as_values", is_flag=True, help="Sizes and errors as JSON.")
@placement_options
@fails_in_one_line
def quantize(words: tuple[str, ...], scheme: str, push: str | None, as_values: bool, **placement: Any) -> None:
    """Pack the model REF into the new folder OUT: a folder, a checkpoint file (.gguf), or organisation/repository.

    Parameters of the scheme are given by their names; `modelry plugins show SCHEME` says what it is.

    \b
    modelry quantize model.gguf --scheme int8 model-int8
    modelry quantize some/model --scheme int4 --group-size 64 model-int4
    """
    arguments, parameters = read_words(words, parameters_of(scheme), scheme=scheme)
    if len(arguments) != 2:
        raise click.UsageError(f"REF and OUT are needed, in this order; given: {' '.join(arguments) or 'neither'}")
    out = new_folder(Path(arguments[1]))
    from modelry.checkpoint.formats import locate
    from modelry.quantization import build_quantizer
    from modelry.uploading import push_saved

    source = locate(arguments[0], revision=placement["revision"])
    quantizer = build_quantizer({"quant_method": scheme, **parameters}, where=f"--scheme {scheme}")
    model, measured = load_packed(source, quantizer, device=placement["device"], dtype=placement["dtype"])
    with folder_written_aside(out) as aside:
        model.save_pretrained(aside)
        _copy_preprocessor(source, aside)
        _copy_steps(source, aside)
    rows = grouped(measured.seen)
    stored = {tensor.data_ptr(): tensor.nbytes for tensor in model.state_dict().values()}  # tied ones once
    unpacked = sum(stored.values()) - sum(one.bytes_after for one in measured.seen)
    whole = total(measured.seen, unpacked=unpacked)
    if as_values:
        values = {"scheme": measured.to_config(), "out": str(out), **as_json(rows, unpacked=unpacked, whole=whole)}
        click.echo(json.dumps(values))
    else:
        click.echo(as_text(rows, unpacked=unpacked, whole=whole))
        click.echo(f"Written to {out}")
    if push is not None:
        address = push_saved(
            lambda folder: shutil.copytree(out, folder, dirs_exist_ok=True), push, message="Upload model"
        )
        click.echo(f"Uploaded: {address}", err=as_values)


def load_packed(
    source: "Source", quantizer: "Quantizer", *, device: str | None, dtype: str | None
) -> "tuple[PreTrainedModel, Measured]":
    """Load a model packed, with a bar of the bytes packed where somebody sits at a terminal."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # tqdm is not annotated

    from modelry.auto import HEADS, AutoConfig
    from modelry.errors import QuantizationError
    from modelry.packed.measuring import Measured
    from modelry_registry import get_registry

    config = AutoConfig.from_pretrained(source)
    if config.quantization_config:
        raise QuantizationError(
            f"{source.name} is {config.quantization_config.get('quant_method')} already: "
            "name the checkpoint that it was made of"
        )
    heads = get_registry().get("models", config.model_type).heads
    saved = [head for head, place in heads.items() if place.partition(":")[2] in (config.architectures or ())]
    head = next(one for one in (*saved, "causal-lm", "base") if one in heads)
    with ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(desc=f"Packing {quantizer.method}", unit="B", unit_scale=True, file=sys.stderr, disable=None)
        )
        measured = Measured(quantizer, on_begin=bar.reset, on_packed=bar.update)
        named: dict[str, Any] = {} if dtype is None else {"dtype": dtype}
        model = HEADS[head].from_pretrained(source, quantization=measured, device_map=device, **named)
    return model, measured


def _copy_preprocessor(source: "Source", folder: Path) -> None:
    """Save tokenizer, processor and chat template beside the model, where the source has them."""
    from modelry.auto import AutoProcessor
    from modelry.errors import NotFound, PreprocessorError

    try:
        preprocessor = AutoProcessor.from_pretrained(source)
    except (NotFound, PreprocessorError) as error:
        click.echo(f"No tokenizer or processor is copied: {error}", err=True)
        return
    preprocessor.save_pretrained(folder)


def _copy_steps(source: "Source", folder: Path) -> None:
    """Copy what a sentence encoder's files say beside the model: pooling, normalizing, prompts, the longest text."""
    listed = source.file(STEPS, required=False)
    if listed is None:
        return
    try:
        steps = json.loads(listed.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{source.name}: {STEPS} is no JSON: {error}") from error
    paths = [step.get("path") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    beside = [f"{path}/{name}" for path in paths if path and isinstance(path, str) for name in OF_A_STEP]
    for name in (STEPS, *BESIDE_STEPS, *beside):
        found = source.file(name, required=False)
        if found is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, folder / name)
