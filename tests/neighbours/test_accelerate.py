"""accelerate on our models: placement by its hooks, empty weights, and its training loop."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import (
    Accelerator,
    cpu_offload,
    disk_offload,
    dispatch_model,
    infer_auto_device_map,
    init_empty_weights,
    load_checkpoint_and_dispatch,
)
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_module
from accelerate.state import AcceleratorState
from accelerate.utils import compute_module_sizes

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_testing import ModelContract

Make = Callable[..., Any]
IDS = torch.tensor([[1, 5, 9, 20], [7, 3, 2, 8]])


def said(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and what it generates."""
    with torch.no_grad():
        logits = model(input_ids=IDS).logits
    return logits, model.generate(IDS, max_new_tokens=4, do_sample=False, eos_token_id=None)


@pytest.mark.parametrize("where", ["cpu", "disk", "cpu, tied", "dispatched"])
def test_weights_that_come_when_they_are_needed(tiny: Make, where: str, tmp_path: Path) -> None:
    expected = said(tiny("ForCausalLM", "llama", tie_word_embeddings=where == "cpu, tied"))
    model = tiny("ForCausalLM", "llama", tie_word_embeddings=where == "cpu, tied")
    if where == "disk":
        disk_offload(model, str(tmp_path), execution_device=torch.device("cpu"))
    elif where == "dispatched":
        places = {"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}
        places |= {"model.layers.0": "cpu", "model.layers.1": "disk"}
        dispatch_model(model, places, main_device="cpu", offload_dir=str(tmp_path), force_hooks=True)
        assert model.hf_device_map == places
    else:
        cpu_offload(model, execution_device=torch.device("cpu"))
    assert model.model.layers[1].self_attn.q_proj.weight.is_meta
    assert model.device == torch.device("cpu")
    for ours, wanted in zip(said(model), expected, strict=True):
        assert torch.equal(ours, wanted)


@pytest.mark.parametrize(
    ("head", "name", "inputs"),
    [
        ("ForSequenceClassification", "bert", {"input_ids": IDS}),
        ("ForSpeechSeq2Seq", "whisper", {"input_features": torch.ones(2, 8, 40), "decoder_input_ids": IDS}),
        ("ForSeq2SeqLM", "t5", {"input_ids": IDS, "decoder_input_ids": IDS}),
        ("ForImageClassification", "clip", {"pixel_values": torch.ones(2, 3, 32, 32)}),
    ],
)
@torch.no_grad()
def test_tables_that_are_read_whole(tiny: Make, head: str, name: str, inputs: dict[str, Any]) -> None:
    """Positions of sounds and pictures, kinds of tokens, distances: they come, too."""
    model = tiny(head, name)
    expected = model(**inputs).logits
    cpu_offload(model, execution_device=torch.device("cpu"))
    assert torch.equal(model(**inputs).logits, expected)


@pytest.fixture
def subject(repository: Path) -> Callable[[str], Any]:
    """A function: folder of a family -> its tiny models and their inputs."""

    def of(name: str) -> Any:
        contract = runpy.run_path(str(repository / "plugins" / "models" / name / "tests" / "test_contract.py"))
        kinds = (one for one in contract.values() if isinstance(one, type) and issubclass(one, ModelContract))
        return [one().subject() for one in kinds if one.model_type][-1]

    return of


@pytest.mark.parametrize("name", ["layoutlmv3", "mamba", "qwen2-vl", "wav2vec2"])
@torch.no_grad()
def test_families_that_read_weights_in_their_own_way(name: str, subject: Callable[[str], Any]) -> None:
    """Tables of distances, convolutions over a cache, pictures that are cut already, windows of sounds."""
    head = "audio-xvector" if name == "wav2vec2" else "base"
    model, inputs = subject(name).model(head), subject(name).inputs_of(head)
    expected = model(**inputs)[0]
    cpu_offload(model, execution_device=torch.device("cpu"))
    assert torch.equal(model(**inputs)[0], expected)


@pytest.mark.parametrize(("name", "kept"), [("dinov2", "hidden_states"), ("swin", "attentions")])
@torch.no_grad()
def test_what_layers_keep_arrives(name: str, kept: str, subject: Callable[[str], Any], tmp_path: Path) -> None:
    """Hooks make new lists of the lists that a module is given."""
    model, inputs = subject(name).model("base"), subject(name).inputs_of("base")
    model.set_attn_implementation("eager")
    expected = model(**inputs, **{f"output_{kept}": True})
    first, *others = [path for path, _ in model.named_children()]
    places = {first: "cpu", **dict.fromkeys(others, "disk")}
    dispatch_model(model, places, main_device="cpu", offload_dir=str(tmp_path), force_hooks=True)
    found = model(**inputs, **{f"output_{kept}": True})
    assert found[kept]
    torch.testing.assert_close(found[kept], expected[kept], rtol=0, atol=0)


@torch.no_grad()
def test_the_balance_of_a_mixture_stays_in_the_loss(subject: Callable[[str], Any], tmp_path: Path) -> None:
    model, inputs = subject("mixtral").model("causal-lm"), subject("mixtral").inputs_of("causal-lm")
    inputs["labels"] = inputs["input_ids"]
    expected = model(**inputs, output_router_logits=True)
    dispatch_model(model, {"model": "disk", "lm_head": "cpu"}, "cpu", offload_dir=str(tmp_path), force_hooks=True)
    found = model(**inputs, output_router_logits=True)
    assert torch.equal(found.aux_loss, expected.aux_loss)
    assert torch.equal(found.loss, expected.loss)


def test_layers_stay_whole(tiny: Make) -> None:
    model = tiny("ForCausalLM", "llama", num_hidden_layers=4)
    assert model._no_split_modules == ["DecoderLayer"]
    assert tiny("ForSeq2SeqLM", "t5")._no_split_modules == ["T5Block"]
    sizes = compute_module_sizes(model)
    room = sizes["model.embed_tokens"] + 2 * sizes["model.layers.0"] + 1000  # it keeps room for one layer that comes
    places = infer_auto_device_map(
        model, max_memory={"cpu": room, "disk": 1 << 30}, no_split_module_classes=model._no_split_modules
    )
    assert [places[f"model.layers.{number}"] for number in range(4)] == ["cpu", "disk", "disk", "disk"]
    assert not [name for name in places if "self_attn" in name]


@pytest.mark.parametrize("tied", [True, False])
def test_empty_weights(tiny: Make, tied: bool, tmp_path: Path) -> None:
    full = tiny("ForCausalLM", "llama", tie_word_embeddings=tied)
    full.save_pretrained(tmp_path)
    with init_empty_weights():
        empty = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert (empty.lm_head.weight is empty.model.embed_tokens.weight) == tied
    empty.tie_weights()
    filled = load_checkpoint_and_dispatch(empty, str(tmp_path), device_map={"": "cpu"}).eval()
    for ours, wanted in zip(said(filled), said(full), strict=True):
        assert torch.equal(ours, wanted)


class Counting(ModelHook):  # type: ignore[misc]  # accelerate is not annotated
    """Counts calls."""

    calls = 0

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return args, kwargs


def test_a_hook_is_called_at_every_step(tiny: Make) -> None:
    model = tiny("ForCausalLM", "llama")
    expected = said(model)
    hook = Counting()
    add_hook_to_module(model.model.layers[1], hook)
    found = said(model)
    assert hook.calls == 5
    remove_hook_from_module(model, recurse=True)
    assert said(model)[1].equal(found[1]) == expected[1].equal(found[1]) is True
    assert hook.calls == 5


@pytest.fixture
def fresh_state() -> Iterator[None]:
    """accelerate decides for a process once; other packages of these tests have decided otherwise."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_state")
def test_a_training_loop(tiny: Make, tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2, mixed_precision="bf16")
    rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 96, (8, 7))]
    made = tiny("ForCausalLM", "llama")
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    model, optimizer, loader = accelerator.prepare(made, optimizer, torch.utils.data.DataLoader(rows, batch_size=2))
    model.train()
    losses = []
    for _ in range(5):
        for batch in loader:
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    accelerator.unwrap_model(model).save_pretrained(tmp_path / "model")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert torch.equal(again.lm_head.weight, made.lm_head.weight)


def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    assert documented("accelerate", checkpoint)["answer"].shape[0] == 1
