"""Accelerators that are none and not CUDA's: Apple's, without float64 and streams, and Intel's."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry.accelerators import streams_of
from modelry.checkpoint.placement import room_here
from modelry.generation.choosing import draw, uniform
from modelry.pipelines.placement import read_device
from modelry_testing.pretending import PretendedGpu
from modelry_trainer import Trainer, TrainingArguments

MODELS = Path(__file__).parents[2] / "plugins" / "models"
KINDS = ("mps", "xpu")
IDS = torch.tensor([[3, 9, 4, 7, 5], [8, 8, 6, 2, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"do_sample": True, "top_k": 5, "top_p": 0.9, "typical_p": 0.9, "eta_cutoff": 1e-4, "seed": 3},
    "beam sampling": {"num_beams": 3, "do_sample": True},
    "dola": {"dola_layers": "low", "do_sample": True},
    "prompt-lookup": {"prompt_lookup_num_tokens": 3, "do_sample": True},
    "watermark": {"do_sample": True, "watermarking_config": {"greenlist_ratio": 0.25}},
    "offloaded": {"cache": "offloaded"},
    "quantized": {"cache": "quantized"},
}


@pytest.mark.filterwarnings("ignore:dola:UserWarning")
@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("kind", KINDS)
def test_text_is_generated(kind: str, options: dict[str, Any], llama: Path, moved: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    said = {"max_new_tokens": 3, "min_new_tokens": 3, **options}
    torch.manual_seed(0)
    expected = None if "do_sample" in options else model.generate(IDS, attention_mask=MASK, **said)
    with PretendedGpu(kind=kind):
        model = AutoModelForCausalLM.from_pretrained(llama, device_map="auto")
        assert str(model.device) == f"{kind}:0"
        ids, mask = moved(IDS, f"{kind}:0"), moved(MASK, f"{kind}:0")
        found = model.generate(ids, attention_mask=mask, **said)
        assert found.shape == (2, 8)
        assert expected is None or found.cpu().tolist() == expected.tolist()


def test_draws_without_float64_follow_the_distribution() -> None:
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().expand(4000, 4)
    with PretendedGpu(kind="mps"):
        generator = torch.Generator("mps").manual_seed(0)
        at = uniform(4000, torch.device("mps:0"), generator)
        assert at.dtype is torch.float32
        found = draw(scores.to("mps:0"), at=at)
        assert found.device.type == "mps"
        shares = found.cpu().bincount() / 4000
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.2, 0.3, 0.4]), rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_trainer_goes_there_by_itself(kind: str, llama: Path, tmp_path: Path) -> None:
    rows = [{"input_ids": [3, 9, 4, 7], "labels": [3, 9, 4, 7]}] * 4
    losses = []
    for device in ("cpu", kind):
        arguments: dict[str, Any] = {
            "output_dir": tmp_path / device,
            "max_steps": 3,
            "report_to": "none",
            "logging_steps": 1,
        }
        arguments |= {"per_device_train_batch_size": 2, "save_steps": 2, "disable_tqdm": True}
        model = AutoModelForCausalLM.from_pretrained(
            llama, attn_implementation="eager"
        )  # sdpa asks their own libraries
        if device == "cpu":
            trainer = Trainer(model, TrainingArguments(use_cpu=True, **arguments), train_dataset=rows)
            trainer.train()
        else:
            with PretendedGpu(kind=kind):
                args = TrainingArguments(optim="adamw_torch", **arguments)
                assert args.device.type == kind
                trainer = Trainer(model, args, train_dataset=rows)
                trainer.train()
                assert {one.device.type for one in model.parameters()} == {kind}
                Trainer(model, args, train_dataset=rows).train(resume_from_checkpoint=True)
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    torch.testing.assert_close(*map(torch.tensor, losses), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_too_large_for_it_goes_on_elsewhere(kind: str, llama: Path, moved: Any) -> None:
    expected = AutoModelForCausalLM.from_pretrained(llama).generate(IDS, max_new_tokens=3)
    with PretendedGpu(kind=kind):
        model = AutoModelForCausalLM.from_pretrained(
            llama, device_map={"": 0, "model.layers.1": "disk", "lm_head": "cpu"}
        )
        assert set(model.hf_device_map.values()) == {f"{kind}:0", "disk", "cpu"}
        assert model.generate(moved(IDS, f"{kind}:0"), max_new_tokens=3).cpu().tolist() == expected.tolist()


@pytest.mark.filterwarnings("ignore")  # of tiny models, which other tests look at
@pytest.mark.parametrize("family", ["detr", "mask2former"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predictions_are_paired_with_objects(family: str, dtype: torch.dtype, subjects: Any, moved: Any) -> None:
    """Without float64; and the loss, which runs in float32, takes what is narrower."""
    subject = subjects(MODELS / family / "tests" / "test_contract.py")[0]
    head = "object-detection" if family == "detr" else "universal-segmentation"
    model, inputs = subject.model(head), subject.inputs_of(head)
    inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
    labels = subject.labels(head, inputs)
    model.to(dtype)
    with torch.inference_mode():
        torch.manual_seed(0)
        expected = model(**inputs, **labels).loss
        with PretendedGpu(kind="mps"):
            torch.manual_seed(0)
            found = model.to("mps:0")(**moved(inputs, "mps:0"), **moved(labels, "mps:0")).loss
            torch.testing.assert_close(found.cpu(), expected, rtol=0.02, atol=0.02)


def test_apple_s_gpu_shares_the_memory_of_the_cpu() -> None:
    before = room_here()[torch.device("cpu")]
    with PretendedGpu(kind="mps", memory=1 << 30):
        room = room_here()
    assert room[torch.device("mps:0")] == int((1 << 30) * 0.9)
    assert before is not None
    assert room[torch.device("cpu")] <= before - 0.8 * (1 << 30)


def test_nothing_is_copied_beside_the_work_of_apple_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's module of it has streams from 2.15 on; memory cannot be pinned for it."""
    for name in ("Stream", "current_stream", "stream"):
        monkeypatch.setattr(torch.mps, name, None, raising=False)
    assert streams_of(torch.device("mps:0")) is None
    assert streams_of(torch.device("xpu:0")) is torch.xpu


def test_a_pipeline_takes_it() -> None:
    with PretendedGpu(kind="xpu", count=2):
        assert [str(read_device(one)) for one in (None, 1, "xpu:1")] == ["xpu", "xpu:1", "xpu:1"]
        with pytest.raises(ValueError, match="'xpu:2' is not here: 2 of type 'xpu'"):
            read_device("xpu:2")


def test_several_processes_do_not_share_apple_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with PretendedGpu(kind="mps"):
        args = TrainingArguments(tmp_path)
        assert args.device.type == "mps"
        said = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        assert TrainingArguments(tmp_path).device.type == "cpu"
