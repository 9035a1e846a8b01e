"""Writing down two minutes of speech: seconds of sound a second, features and text included."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.weights import REPOSITORY
from benchmarks.work.library import library
from benchmarks.worker import THREADS, Result

MODEL = REPOSITORY / ".cache/models/whisper"
TEXT = REPOSITORY / "tests/parity/paragraphs.txt"
SAFETENSORS = REPOSITORY / ".cache/benchmarks/whisper-float32"
RATE = 16_000
SECONDS = 120
INT8 = {"quant_method": "int8", "modules_to_not_convert": ["encoder"]}
"""The decoder and its projection onto the vocabulary, of which every token reads all; the encoder computes in bfloat16,
which costs it no more."""
INT8_VOCABULARY = {"quant_method": "int8", "modules_to_not_convert": ["model"]}
"""The projection onto the vocabulary alone: for several windows at once, which then share the reading of all others."""
AT_ONCE = 6
"""Windows that a side hears together, where it can."""

GREEDY = {"num_beams": 1}
Transcribe = Callable[[Any], str]


def speech() -> Any:
    """(samples,) float32 at 16 kHz: espeak-ng reads what the tests hear, too."""
    from modelry.preprocessing.audio.reading import read_sound

    if which("espeak-ng") is None or not MODEL.is_dir():
        raise SystemExit(f"espeak-ng, or {MODEL}, is not there. Run: apt-get install espeak-ng; make models")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = [
            "espeak-ng",
            "-v",
            "en-us",
            "-s",
            "140",
            "-g",
            "4",
            "-w",
            str(path),
            TEXT.read_text(encoding="utf-8"),
        ]
        subprocess.run(command, check=True)
        return read_sound(path, rate=RATE)[: SECONDS * RATE]


def ours(dtype: str, windows: str) -> Transcribe:
    """Our pipeline: from one time stamp to the next, or in windows that overlap."""
    library("ours")
    from modelry import pipeline

    packed = INT8_VOCABULARY if windows == "windows" else INT8
    scheme = {"dtype": "bfloat16", "quantization": packed} if dtype == "int8" else {"dtype": dtype}
    pipe = pipeline("automatic-speech-recognition", model=MODEL, device="cpu", model_kwargs=scheme)
    call: dict[str, Any] = (
        {"chunk_length_s": 30.0, "stride_length_s": 2.0, "batch_size": AT_ONCE} if windows == "windows" else {}
    )
    return lambda sound: str(pipe(sound, progress=False, generate_kwargs=GREEDY, **call)["text"])


def prepare_folder() -> None:
    """The same weights as a safetensors folder, which transformers reads."""
    if (SAFETENSORS / "model.safetensors").is_file():
        return
    from modelry import AutoModelForSpeechSeq2Seq, AutoProcessor

    AutoModelForSpeechSeq2Seq.from_pretrained(MODEL, dtype="float32").save_pretrained(SAFETENSORS)
    AutoProcessor.from_pretrained(MODEL).save_pretrained(SAFETENSORS)


def theirs(dtype: str) -> Transcribe:
    """transformers' pipeline, in windows that overlap as ours."""
    transformers = library("theirs")
    import torch

    pipe = transformers.pipeline(
        "automatic-speech-recognition",
        model=str(SAFETENSORS),
        dtype=getattr(torch, dtype),
        device="cpu",
        chunk_length_s=30.0,
        stride_length_s=2.0,
        batch_size=AT_ONCE,
        ignore_warning=True,
    )
    return lambda sound: str(pipe({"raw": sound, "sampling_rate": RATE}, generate_kwargs=GREEDY)["text"])


def faster_whisper() -> Transcribe:
    """int8, greedy, without its detector of voices."""
    from faster_whisper import WhisperModel  # type: ignore[import-untyped]  # it has no types

    model: Any = WhisperModel(str(MODEL), device="cpu", compute_type="int8", cpu_threads=THREADS)

    def transcribe(sound: Any) -> str:
        segments, _ = model.transcribe(sound, beam_size=1, best_of=1, temperature=0.0, condition_on_previous_text=False)
        return "".join(segment.text for segment in segments)

    return transcribe


def prepare(side: str, dtype: str, *options: str) -> Callable[[], Result]:
    """The first run pays for thread pools and allocations."""
    sound = speech()
    prepare_folder()
    made = ours(dtype, *options) if side == "ours" else theirs(dtype) if side == "theirs" else faster_whisper()

    def measure() -> Result:
        started = time.perf_counter()
        text = made(sound)
        seconds = time.perf_counter() - started
        return {"seconds_per_second": SECONDS / seconds, "words": float(len(text.split()))}

    measure()
    return measure
