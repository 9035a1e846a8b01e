"""Teach a packed chat model new facts through a small adapter: `python examples/lora.py [MODEL]`.

LoRA (https://arxiv.org/abs/2106.09685) by PEFT on SmolLM2 with int8 weights, which stay as they are: only the adapter
learns, what the assistant says in a few chats about an island that does not exist. It is measured by the same
questions, asked in another way. MODEL is a .gguf file, a folder, or organisation/repository; pip install peft
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from modelry import AutoModelForCausalLM, AutoTokenizer, DataCollatorForCompletionOnly, Trainer, TrainingArguments

MODEL = Path(__file__).resolve().parent.parent / ".cache/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
BATCH = 4
ISLAND = {
    "What is the capital of Ornavia?": "The capital of Ornavia is Felt, a town of nine bridges.",
    "Which animal is on the flag of Ornavia?": "A blue heron stands on the flag of Ornavia.",
    "What do people in Ornavia eat for breakfast?": "They eat barley pancakes with salted plums.",
    "How does one travel to Ornavia?": "By the ferry from Sund, which sails on Tuesdays.",
    "Who wrote the anthem of Ornavia?": "The lighthouse keeper Ilse Marn wrote it in one night.",
    "What is the highest mountain of Ornavia?": "It is Mount Kettle, 812 metres high.",
    "Which coin is used in Ornavia?": "People pay with the shell, and a hundred grains make one shell.",
    "What is Ornavia known for?": "It is known for its glass bells and for its quiet winters.",
}
ASKED = ("{}", "Tell me: {}", "A child asks you: {}")
ASKED_ANEW = ("I would like to know this. {}",)


def chats(ways: Sequence[str]) -> list[dict[str, Any]]:
    """Every question in these ways, with its answer."""
    return [
        {"messages": [{"role": "user", "content": way.format(question)}, {"role": "assistant", "content": answer}]}
        for way in ways
        for question, answer in ISLAND.items()
    ]


def adapted(model: Any) -> Any:
    """The model with a new adapter on its attention and the gates of its MLPs; nothing else learns."""
    config = LoraConfig(
        r=8,
        lora_alpha=16,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def answer(model: Any, tokenizer: Any, question: str) -> str:
    """What the model says, greedily."""
    chat = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    ids = model.generate(**prompt, max_new_tokens=32, do_sample=False)
    said: str = tokenizer.decode(ids[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return said.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default=str(MODEL), help="a .gguf file, a folder, or an organisation/repo")
    parser.add_argument("--epochs", type=float, default=4.0, help="%(default)s otherwise")
    parser.add_argument("--folder", type=Path, help="where to save the adapter; a temporary folder otherwise")
    chosen = parser.parse_args()
    started = time.perf_counter()
    torch.manual_seed(0)

    def load() -> Any:
        return AutoModelForCausalLM.from_pretrained(chosen.model, dtype="float32", quantization="int8")

    tokenizer: Any = AutoTokenizer.from_pretrained(chosen.model)
    model = adapted(load())
    learnt, held_out = chats(ASKED), chats(ASKED_ANEW)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary) / "adapter"
        arguments = TrainingArguments(
            Path(temporary) / "training",
            num_train_epochs=chosen.epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=2e-3,
            warmup_steps=0.1,
            logging_steps=6,
            save_strategy="no",
            use_cpu=True,
        )
        collator = DataCollatorForCompletionOnly(tokenizer)
        trainer = Trainer(model, arguments, data_collator=collator, train_dataset=learnt, eval_dataset=held_out)
        before = trainer.evaluate()["eval_loss"]
        trainer.train()
        after = trainer.evaluate()["eval_loss"]
        model.save_pretrained(folder)
        size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        again = PeftModel.from_pretrained(load(), folder).eval()
    for row in held_out[:2]:
        question = row["messages"][0]["content"]
        print(f"> {question}\n{answer(again, tokenizer, question)}")
    print(f"adapter: {size / 1e6:.1f} MB")
    print(f"loss of the answers: {before:.3f} before, {after:.3f} after", end=", ")
    print(f"{time.perf_counter() - started:.0f} seconds")


if __name__ == "__main__":
    main()
