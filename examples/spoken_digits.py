"""Train a small speech model on digits that espeak-ng speaks, save it, and use it: `python examples/spoken_digits.py`.

Letters of a CTC head over raw sound at 8 kHz, learnt from nothing by the Trainer; what is heard becomes the digit that
is spelt most like it. It is measured by voices that it has never heard. espeak-ng must be installed: apt-get install
espeak-ng
"""

import argparse
import io
import json
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelry import AutoModelForCTC, AutoProcessor, DataCollatorForSpeech, Trainer, TrainingArguments, pipeline
from modelry.configuration import config_class

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *sorted(set("".join(WORDS))))
LANGUAGES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp")
HEARD = (
    "m1",
    "m2",
    "m4",
    "m6",
    "m7",
    "m8",
    "f1",
    "f2",
    "f5",
    "Andy",
    "Annie",
    "Denis",
    "Gene",
    "Linda",
    "Michael",
    "Steph",
)
NEW = ("m3", "m5", "f3", "f4")
SAMPLING_RATE, BATCH = 8000, 16
SIZES: dict[str, Any] = {
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "conv_dim": [32, 64, 96],
    "conv_kernel": [16, 10, 8],
    "conv_stride": [8, 5, 4],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "feat_extract_activation": "relu",
    "apply_spec_augment": False,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
    "hidden_dropout": 0.1,
    **dict.fromkeys(("activation_dropout", "attention_dropout", "final_dropout", "layerdrop"), 0.0),
}


def spoken(text: str, *, voice: str, speed: int, pitch: int) -> dict[str, Any]:
    """What espeak-ng says: {"array": (samples,), "sampling_rate"}."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(said)) as file:
        samples = np.frombuffer(file.readframes(len(said)), dtype="<i2")
        return {"array": samples.astype(np.float32) / 32768, "sampling_rate": file.getframerate()}


def rows(count: int, variants: Sequence[str], random: np.random.Generator) -> list[dict[str, Any]]:
    """Two to four digits each, by some voice, speed and pitch: {"audio", "text"}."""
    made = []
    for _ in range(count):
        text = " ".join(random.choice(WORDS, random.integers(2, 5)))
        voice = f"{random.choice(LANGUAGES)}+{random.choice(variants)}"
        speed, pitch = int(random.integers(120, 200)), int(random.integers(20, 80))
        made.append({"audio": spoken(text, voice=voice, speed=speed, pitch=pitch), "text": text})
    return made


def from_another_throat(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A sound played faster or slower, by up to a fifth, with some noise: a voice that nobody has."""
    count = int(len(samples) * random.uniform(0.8, 1.2))
    played = np.interp(np.linspace(0, len(samples) - 1, count), np.arange(len(samples)), samples)
    noisy: np.ndarray = played + random.normal(0, random.uniform(0, 0.2), count)
    return noisy.astype(np.float32)


def new_processor(folder: Path) -> Any:
    """Waveforms in, letters out, from the files that published checkpoints have."""
    folder.mkdir(parents=True, exist_ok=True)
    extractor = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "return_attention_mask": True}
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(LETTERS)}))
    (folder / "preprocessor_config.json").write_text(json.dumps({**extractor, "sampling_rate": SAMPLING_RATE}))
    (folder / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
    return AutoProcessor.from_pretrained(folder)


def distance(found: Sequence[str], expected: Sequence[str]) -> int:
    """Words, or letters of a word, to insert, delete or replace. Levenshtein 1966."""
    before = list(range(len(found) + 1))
    for row, word in enumerate(expected, 1):
        now = [row]
        for column, other in enumerate(found, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (word != other)))
        before = now
    return before[-1]


def nearest(word: str) -> str:
    """The digit that is spelt most like what was heard."""
    return min(WORDS, key=lambda one: distance(word, one) / max(len(word), len(one)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=720, help="to learn from; %(default)s otherwise")
    parser.add_argument("--steps", type=int, default=600, help=f"of {BATCH} rows each; %(default)s otherwise")
    parser.add_argument("--held-out", type=int, default=100, help="rows to measure by")
    parser.add_argument("--folder", type=Path, help="where to save the model; a temporary folder otherwise")
    chosen = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng is not there. Run: apt-get install espeak-ng")
    started = time.perf_counter()
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    learnt, held_out = rows(chosen.rows, HEARD, random), rows(chosen.held_out, NEW, random)
    print(f"{chosen.rows} rows spoken, {time.perf_counter() - started:.0f} s")

    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary) / "model"
        processor = new_processor(folder)
        for row in learnt:  # once, and not in every epoch
            row["input_values"] = processor.feature_extractor(row.pop("audio"))["input_values"][0]
        model = AutoModelForCTC.from_config(config_class("wav2vec2")(vocab_size=len(LETTERS), **SIZES))
        arguments = TrainingArguments(
            Path(temporary) / "training",
            max_steps=chosen.steps,
            per_device_train_batch_size=BATCH,
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            logging_steps=50,
            save_strategy="no",
            remove_unused_columns=False,
            use_cpu=True,
        )
        padded = DataCollatorForSpeech(processor.feature_extractor, processor.tokenizer)

        def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
            heard = [from_another_throat(row["input_values"], random) for row in batch]
            made: dict[str, Any] = padded(
                [{**row, "input_values": values} for row, values in zip(batch, heard, strict=True)]
            )
            return made

        Trainer(model, arguments, data_collator=collate, train_dataset=learnt, processing_class=processor).train()
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        hear = pipeline("automatic-speech-recognition", model=folder, device="cpu")
        answers = [hear(row["audio"])["text"] for row in held_out]
    digits = [[nearest(word) for word in answer.split()] for answer in answers]
    print(f"the first held-out voice says {held_out[0]['text']!r}, heard as {answers[0]!r}: {' '.join(digits[0])}")
    pairs = [(found, row["text"].split()) for found, row in zip(digits, held_out, strict=True)]
    wrong, words = sum(distance(*pair) for pair in pairs), sum(len(expected) for _, expected in pairs)
    print(f"word error rate of {words} words by voices never heard: {wrong / words:.1%}", end=", ")
    print(f"{time.perf_counter() - started:.0f} seconds")


if __name__ == "__main__":
    main()
