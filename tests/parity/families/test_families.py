"""Every family and head computes what transformers computes, on tiny random models in float32; see cases/.

    pytest tests/parity/families -k "llama/"            one family
    pytest tests/parity/families -k "llama/plain/base"  one head of one configuration
    python tests/parity/families/report.py              all, and the table docs/parity.md

A file in cases/ is one family's plain data, `CASES: list[dict]`, one dict for each configuration:

    name        of the configuration, lower case
    config      values of config.json, model_type among them
    heads       our name of a head -> the reference's class; "module:Class" where it is no public name
    inputs      "text", "encoder-decoder", "image", "video", "audio", or (config, head) -> tensors
    labels      (config, head) -> tensors that give a loss, where the head's are not the usual ones
    options     further arguments of forward, or a list of several sets, each compared by itself
    asks        what outputs are asked for, instead of hidden states and attentions
    generate    whether it is a text decoder: caches and greedy generation are compared too
    real        (name, tensor, inputs) -> the values that count, where masks are not by token
    tolerance   1e-5 when left out
    spread      how far random weights are moved, 0.05 when left out
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")

NEW_TOKENS = 6


def run(pair: Any, inputs: dict[str, Any], **more: Any) -> tuple[Any, Any]:
    """Both models' outputs."""
    asks = pair.case.get("asks", {"output_hidden_states": True, "output_attentions": True})
    with torch.inference_mode():
        return pair.ours(**inputs, **asks, **more), pair.theirs(**inputs, **asks, **more)


def agree(room: dict[str, Any], pair: Any, found: Any, expected: Any, inputs: dict[str, Any]) -> None:
    case = pair.case
    room["compare"](found, expected, inputs, tolerance=case.get("tolerance", 1e-5), real=case.get("real"))


def test_outputs(subject: Any, variant: str, pair: Any, room: dict[str, Any]) -> None:
    """Every tensor that forward returns, for each set of options."""
    options = pair.case.get("options", {})
    inputs = room["make_inputs"](pair.case, pair.theirs.config, pair.head, variant)
    for more in options if isinstance(options, list) else [options]:
        agree(room, pair, *run(pair, inputs, **more), inputs)


def test_fused_attention(subject: Any, pair: Any, room: dict[str, Any]) -> None:
    """Our default attention gives what their eager one does."""
    pair.ours.set_attn_implementation("sdpa")
    variant = room["variants"](pair.case)[-1]
    inputs = room["make_inputs"](pair.case, pair.theirs.config, pair.head, variant)
    with torch.inference_mode():
        agree(room, pair, pair.ours(**inputs), pair.theirs(**inputs), inputs)


def test_loss(subject: Any, pair: Any, room: dict[str, Any]) -> None:
    """The loss of labels, padded where the kind of input can be."""
    spans = pair.head == "question-answering"  # its softmax runs over padding, where everybody has other values
    variant = "right" if "right" in room["variants"](pair.case) and not spans else "whole"
    inputs = room["make_inputs"](pair.case, pair.theirs.config, pair.head, variant)
    labels = room["make_labels"](pair.case, pair.theirs.config, pair.head, inputs)
    if not labels:
        pytest.skip("the head has no loss")
    losses = []
    for model in (pair.ours, pair.theirs):
        torch.manual_seed(0)  # some losses look at random places
        with torch.inference_mode():
            losses.append(model(**inputs, **labels).loss)
    found, expected = losses
    tolerance = pair.case.get("tolerance", 1e-5)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


def test_round_trip(subject: Any, pair: Any, tmp_path: Path) -> None:
    """They load what we save of what they saved: the same names in the files, and the same bits in the model."""
    pair.ours.save_pretrained(tmp_path)
    first, second = (load_file(folder / "model.safetensors") for folder in (pair.folder, tmp_path))
    assert first.keys() == second.keys()
    assert [name for name in first if not first[name].equal(second[name])] == []
    again = type(pair.theirs).from_pretrained(tmp_path, dtype="auto").state_dict()
    expected = pair.theirs.state_dict()
    assert again.keys() == expected.keys()
    assert [name for name in again if not again[name].equal(expected[name])] == []


@pytest.mark.usefixtures("generating")
def test_cache(subject: Any, variant: str, pair: Any, room: dict[str, Any]) -> None:
    """A second turn and single steps through our cache give what they compute without one."""
    inputs = room["make_inputs"](pair.case, pair.theirs.config, pair.head, variant)
    text = "decoder_input_ids" if "decoder_input_ids" in inputs else "input_ids"
    length = inputs[text].shape[1]
    cache, found = None, []
    encoded: dict[str, Any] = {}
    with torch.inference_mode():
        expected = pair.theirs(**inputs).logits
        for start, end in ((0, length - 4), (length - 4, length - 1), (length - 1, length)):
            turn = {name: value for name, value in inputs.items() if start == 0 or name in (text, *FOR_EVERY_TURN)}
            turn[text] = inputs[text][:, start:end]
            if "position_ids" in turn:
                turn["position_ids"] = inputs["position_ids"][..., start:end]
            if text == "input_ids" and "attention_mask" in turn:
                turn["attention_mask"] = inputs["attention_mask"][:, :end]
            out = pair.ours(**turn, **encoded, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            if text == "decoder_input_ids":
                encoded = {"encoder_outputs": (out.encoder_last_hidden_state,)}
            found.append(out.logits)
    tolerance = pair.case.get("tolerance", 1e-5)
    keep = pair.case.get("real") or room["without_padding"]
    mine, other = (keep("logits", one, inputs) for one in (torch.cat(found, dim=1), expected))
    torch.testing.assert_close(mine, other, atol=tolerance, rtol=tolerance)


FOR_EVERY_TURN = ("attention_mask", "position_ids")
"""Inputs that belong to the whole text; the others come with its beginning."""


@pytest.mark.usefixtures("generating")
def test_greedy_generation(subject: Any, variant: str, pair: Any, room: dict[str, Any]) -> None:
    """The same tokens, in our default attention too, and in a batch padded on the left."""
    if variant == "right" and "decoder_input_ids" not in room["make_inputs"](
        pair.case, pair.theirs.config, pair.head, variant
    ):
        pytest.skip("a text that goes on behind padding is nobody's")
    pair.ours.set_attn_implementation("sdpa")
    inputs = room["make_inputs"](pair.case, pair.theirs.config, pair.head, variant)
    inputs = {name: value for name, value in inputs.items() if name not in ("decoder_input_ids", "position_ids")}
    wanted = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "num_beams": 1}
    with torch.inference_mode():
        found, expected = pair.ours.generate(**inputs, **wanted), pair.theirs.generate(**inputs, **wanted)
    assert found.tolist() == expected.tolist()
