"""LoRA from the command: saved, loaded again, merged; on packed weights too. Settings that PEFT refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.*made anew for:modelry.errors.ModelryWarning")


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_lora_is_saved_reloaded_and_merged(
    quantization: str | None,
    call: Callable[..., Any],
    models: dict[str, Path],
    quick: tuple[str, ...],
    chats: Path,
    here: Path,
) -> None:
    from peft import PeftModel

    words = ["--task=chat", "--data", chats, "--model", models["chat"], "--peft=lora", "--peft.r=4", *quick]
    words += [f"--quantization={quantization}"] if quantization else ["--peft.merge"]
    done = call(*words)
    assert done.exit_code == 0, done.output
    base = AutoModelForCausalLM.from_pretrained(models["chat"], quantization=quantization)
    ids = torch.tensor([[5, 6, 7, 8]])
    plain = base(input_ids=ids).logits.detach()
    again: Any = PeftModel.from_pretrained(base, here / "out")
    assert not torch.equal(again(input_ids=ids).logits, plain)
    layers = {name.split(".")[-4] for name, _ in again.named_parameters() if "lora_A" in name}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    if quantization is None:
        merged = AutoModelForCausalLM.from_pretrained(here / "out" / "merged")
        assert torch.allclose(merged(input_ids=ids).logits, again(input_ids=ids).logits, atol=1e-5)
        assert AutoTokenizer.from_pretrained(here / "out" / "merged").chat_template is not None


def test_a_new_head_learns_beside_an_adapter(
    call: Callable[..., Any], models: dict[str, Path], quick: tuple[str, ...], here: Path, write: Callable[..., Path]
) -> None:
    from peft import PeftModel

    file = write(here / "rows.jsonl", [{"text": "the inn", "label": "good"}, {"text": "the rain", "label": "bad"}])
    words = ["--task=sequence-classification", "--data", file, "--peft=ia3", *quick, "--report_html=false"]
    words += ["--peft.r=null"]  # takes back what a file says of lora
    done = call(*words, "--model", models["sequence-classification"])
    assert done.exit_code == 0, done.output
    base = AutoModelForSequenceClassification.from_pretrained(models["sequence-classification"])
    before = base.classifier.weight.detach().clone()
    again: Any = PeftModel.from_pretrained(base, here / "out")
    assert not torch.equal(again.get_base_model().classifier.modules_to_save["default"].weight, before)


def test_refusals(call: Callable[..., Any], models: dict[str, Path], chats: Path) -> None:
    words = ("--task=chat", "--model", models["chat"], "--data", chats, "--dry-run")
    for more, said in (
        ("--peft.lora_alfa=3", "peft (lora): there is no key 'lora_alfa': did you mean lora_alpha?"),
        ("--peft.target_modules=[nothing]", "peft: Target modules"),
    ):
        done = call(*words, more)
        assert done.exit_code == 2, done.output
        assert said in done.stderr
