"""Turn MiniLM into a classifier of requests, save it, and use it: `python examples/house_requests.py [MODEL]`.

Seven things that people ask of a house. It learns from some ways to ask and is measured by other ways, none of whose
sentences it has seen: what helps it there is what MiniLM knows of words. MODEL is a folder, or
sentence-transformers/all-MiniLM-L6-v2; `make models` fetches it.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from modelry import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments, pipeline

MODEL = Path(__file__).resolve().parent.parent / ".cache/models/minilm"
BATCH = 16
ROOMS = ("kitchen", "bedroom", "hall", "study")
PLACES = ("Oslo", "Lima", "Kyoto", "Porto")
THINGS = ("rice", "soap", "lemons", "candles")
TIMES = ("six", "noon", "half past nine", "a quarter to four")
TUNES = ("a waltz", "some jazz", "that song about rain", "the piano record")
FRIENDS = ("Mira", "my brother", "the plumber", "Tomas")
MINUTES = ("five", "twelve", "thirty", "forty")

Ways = tuple[tuple[str, ...], tuple[str, ...]]
"""Sentences to learn from, and sentences to be measured by."""

REQUESTS: dict[str, tuple[tuple[str, ...], Ways]] = {
    "light": (
        ROOMS,
        (
            ("Turn on the lamp in the {}.", "Switch the {} light off, please.", "Dim the lamps of the {}.",
             "Is the light in the {} still burning?", "Make the {} a little brighter."),
            ("It is too dark in the {}.", "Why are the bulbs in the {} on?", "Illuminate the {}."),
        ),
    ),
    "weather": (
        PLACES,
        (
            ("Will it rain in {} tomorrow?", "How warm is it in {}?", "Tell me the forecast for {}.",
             "Is it snowing in {}?", "What is the weather like in {}?"),
            ("Do I need an umbrella in {}?", "How cold does it get at night in {}?", "Are there storms near {}?"),
        ),
    ),
    "shopping": (
        THINGS,
        (
            ("Put {} on the shopping list.", "We are out of {}.", "Add {} to what we have to buy.",
             "Order {} from the shop.", "Remind me to buy {} at the market."),
            ("I need to get more {} from the store.", "Please purchase {}.", "There is no {} left in the cupboard."),
        ),
    ),
    "alarm": (
        TIMES,
        (
            ("Wake me at {}.", "Set an alarm for {}.", "I have to get up at {}.", "Ring the bell at {} every day.",
             "Cancel the alarm at {}."),
            ("Don't let me sleep past {}.", "I want to be awake by {}.", "Get me out of bed at {}."),
        ),
    ),
    "music": (
        TUNES,
        (
            ("Play {}.", "I would like to hear {}.", "Put on {}, and not too loud.", "Stop {}.",
             "Play {} once more in the living room."),
            ("Let me listen to {}.", "Turn {} up.", "Could we have {} with dinner?"),
        ),
    ),
    "call": (
        FRIENDS,
        (
            ("Call {}.", "Ring up {} for me.", "Phone {} and ask about the party.", "I want to talk to {}.",
             "Write a message to {}."),
            ("Get {} on the line.", "Tell {} that I am late.", "Dial the number of {}."),
        ),
    ),
    "timer": (
        MINUTES,
        (
            ("Set a timer of {} minutes.", "Count down {} minutes.", "How many of the {} minutes are left?",
             "Tell me when {} minutes are over.", "Stop the countdown of {} minutes."),
            ("The eggs need {} minutes.", "Let me know after {} minutes.", "Start a stopwatch for {} minutes."),
        ),
    ),
}  # fmt: skip
LABELS = dict(enumerate(REQUESTS))


def sentences(*, held_out: bool) -> list[tuple[str, int]]:
    """All of one kind, with the number of what they ask for."""
    return [
        (way.format(filling), number)
        for number, (fillings, ways) in enumerate(REQUESTS.values())
        for way, filling in itertools.product(ways[held_out], fillings)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default=str(MODEL), help="a folder, or organisation/repository")
    parser.add_argument("--epochs", type=float, default=6.0, help="%(default)s otherwise")
    parser.add_argument("--folder", type=Path, help="where to save the classifier; a temporary folder otherwise")
    chosen = parser.parse_args()
    started = time.perf_counter()
    torch.manual_seed(0)

    tokenizer: Any = AutoTokenizer.from_pretrained(chosen.model)
    model = AutoModelForSequenceClassification.from_pretrained(chosen.model, id2label=LABELS)
    learnt, held_out = sentences(held_out=False), sentences(held_out=True)
    rows = [{**tokenizer(text), "labels": label} for text, label in learnt]
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary) / "classifier"
        arguments = TrainingArguments(
            Path(temporary) / "training",
            num_train_epochs=chosen.epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=2e-4,
            warmup_steps=0.1,
            logging_steps=10,
            save_strategy="no",
            use_cpu=True,
        )
        trainer = Trainer(model, arguments, train_dataset=rows, processing_class=tokenizer)
        trainer.train()
        trainer.save_model(folder)
        classify = pipeline("text-classification", model=folder, device="cpu", batch_size=BATCH)
        answers = classify([text for text, _ in held_out])
    right = sum(answer["label"] == LABELS[label] for answer, (_, label) in zip(answers, held_out, strict=True))
    print(f"{held_out[0][0]!r} asks for {answers[0]['label']} ({answers[0]['score']:.0%} sure)")
    print(f"{right} of {len(held_out)} held-out requests: {right / len(held_out):.1%}", end=", ")
    print(f"{time.perf_counter() - started:.0f} seconds")


if __name__ == "__main__":
    main()
