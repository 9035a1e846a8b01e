"""Collators inside of a trainer: the columns that they read reach them, and the model learns."""

from pathlib import Path
from typing import Any

import pytest

from modelry import AutoConfig, AutoModelForCausalLM, Trainer, TrainingArguments
from modelry_trainer.collators import DataCollatorForCompletionOnly, DataCollatorWithFlattening
from modelry_trainer.packing import PackedRows

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def chats() -> list[dict[str, Any]]:
    said = [("the inn?", "by the sea"), ("rain?", "in tin"), ("who?", "the roof"), ("where?", "the sea")] * 2
    return [
        {"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": other}], "note": "x"}
        for one, other in said
    ]


@pytest.mark.parametrize("optim", ["adamw_torch_fused", "schedule_free_adamw", "muon"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_chats(optim: str, packed: bool, letters: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, _ = letters
    monkeypatch.setattr(tokenizer, "chat_template", TEMPLATE)
    collator: Any = DataCollatorForCompletionOnly(tokenizer)
    rows: Any = chats()
    if packed:
        rows = PackedRows([collator.tokenize(row) for row in rows], size=96)
        collator = DataCollatorWithFlattening()
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=263, **TINY))
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=6, per_device_train_batch_size=2, learning_rate=0.01, optim=optim,
        lr_scheduler_type="constant", logging_steps=1, save_strategy="no", disable_tqdm=True, report_html=False,
        use_cpu=True,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows, data_collator=collator)
    trainer.train()
    losses = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
