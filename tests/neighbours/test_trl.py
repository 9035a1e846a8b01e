"""TRL's SFTTrainer on our model: the losses that it has on transformers' with the same weights.

It insists on a tokenizer of transformers, and writes nothing but tensors of a model that is not transformers' own.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from peft import LoraConfig, PeftModel
from transformers import AutoTokenizer as TheirTokenizer
from transformers import LlamaForCausalLM
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from modelry import AutoConfig, AutoModelForCausalLM, AutoTokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method. is:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]
TEXTS = datasets.Dataset.from_list([{"text": f"row {number}" + " and more" * (number % 3)} for number in range(8)])
CHATS = datasets.Dataset.from_list(
    [
        {"messages": [{"role": "user", "content": f"{number}?"}, {"role": "assistant", "content": f"{number + 1}"}]}
        for number in range(8)
    ]
)


@pytest.fixture
def folder(checkpoint: Path) -> Path:
    return checkpoint


def taught(model: Any, folder: Path, output: Path, rows: Any, **more: Any) -> tuple[Any, list[float]]:
    arguments = SFTConfig(
        output_dir=str(output),
        max_steps=3,
        per_device_train_batch_size=2,
        learning_rate=1e-3,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        disable_tqdm=True,
        gradient_checkpointing=more.pop("recomputed", False),
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        processing_class=TheirTokenizer.from_pretrained(folder),
        **more,
    )
    trainer.train()
    return trainer, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("rows", [TEXTS, CHATS], ids=["texts", "chats"])
def test_the_losses_of_transformers_own(folder: Path, tmp_path: Path, rows: Any) -> None:
    expected = taught(LlamaForCausalLM.from_pretrained(folder), folder, tmp_path, rows)[1]
    trainer, losses = taught(AutoModelForCausalLM.from_pretrained(folder), folder, tmp_path, rows)
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0]
    trainer.model.save_pretrained(tmp_path / "taught")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "taught")
    assert torch.equal(again.lm_head.weight, trainer.model.lm_head.weight)


def test_recomputed_layers(folder: Path, tmp_path: Path) -> None:
    kept = taught(AutoModelForCausalLM.from_pretrained(folder), folder, tmp_path, TEXTS)[1]
    trainer, losses = taught(AutoModelForCausalLM.from_pretrained(folder), folder, tmp_path, TEXTS, recomputed=True)
    assert trainer.model.is_gradient_checkpointing
    assert losses == pytest.approx(kept, abs=1e-5)


def test_an_adapter_is_saved_whole(folder: Path, tmp_path: Path) -> None:
    config = LoraConfig(r=4, task_type="CAUSAL_LM")
    model = AutoModelForCausalLM.from_pretrained(folder)
    trainer, losses = taught(model, folder, tmp_path, TEXTS, peft_config=config)
    assert len(losses) == 3
    trainer.save_model(str(tmp_path / "adapter"))
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), str(tmp_path / "adapter")).eval()
    ids = torch.tensor([[5, 6, 7]])
    trainer.model.eval()
    assert torch.allclose(again(input_ids=ids).logits, trainer.model(input_ids=ids).logits, atol=1e-6)


def test_preferences_and_rewards(folder: Path, tmp_path: Path) -> None:
    """DPO with a reference model that is given; GRPO, which generates with a config of transformers."""
    common = {"max_steps": 1, "per_device_train_batch_size": 2, "report_to": [], "use_cpu": True, "bf16": False}
    common |= {"save_strategy": "no", "disable_tqdm": True, "logging_steps": 1, "gradient_checkpointing": False}
    rows = [{"prompt": f"q{number}", "chosen": " yes", "rejected": " no"} for number in range(2)]
    tokenizer = TheirTokenizer.from_pretrained(folder)
    dpo = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        ref_model=AutoModelForCausalLM.from_pretrained(folder),
        args=DPOConfig(str(tmp_path), **common),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    assert dpo.train().training_loss == pytest.approx(math.log(2), abs=1e-3), "both say the same of every answer"
    grpo = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        reward_funcs=lambda completions, **more: [float(len(one)) for one in completions],
        args=GRPOConfig(str(tmp_path), num_generations=2, max_completion_length=4, **common),
        train_dataset=datasets.Dataset.from_list(rows).select_columns(["prompt"]),
        processing_class=tokenizer,
    )
    grpo.train()
    assert any("reward" in entry for entry in grpo.state.log_history)


def test_our_tokenizer_is_refused_and_its_folder_read(folder: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    arguments = SFTConfig(output_dir=str(tmp_path), report_to=[], use_cpu=True, bf16=False)
    with pytest.raises(TypeError, match="must be either a `PreTrainedTokenizerBase`"):
        SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(folder),
            args=arguments,
            train_dataset=TEXTS,
            processing_class=tokenizer,
        )
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    theirs = TheirTokenizer.from_pretrained(tmp_path / "tokenizer")
    assert theirs("a text")["input_ids"] == tokenizer("a text")["input_ids"]
    assert AutoConfig.from_pretrained(folder).vocab_size == 258


def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    assert documented("TRL", checkpoint)["trainer"].state.global_step == 2
