"""Speech: Whisper tiny.en beside transformers and faster-whisper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_one_process
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import one_panel, ranking, save
from benchmarks.work.speech import AT_ONCE, SECONDS

SPEED = "seconds_per_second"
WINDOWS, SEQUENTIAL = "modelry windows", "modelry sequential"
FLOAT32, BFLOAT16, FASTER = "transformers float32", "transformers bfloat16", "faster-whisper int8"
SIDES = {
    WINDOWS: ("ours", "speech", "int8", "windows"),
    FASTER: ("faster", "speech", "int8"),
    FLOAT32: ("theirs", "speech", "float32"),
    BFLOAT16: ("theirs", "speech", "bfloat16"),
    SEQUENTIAL: ("ours", "speech", "int8", "sequential"),
}


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    yield "two minutes", entry(in_one_process("speech", runs, SIDES))


def section(entries: Entries) -> Section:
    one = entries["two minutes"]
    beside = ((WINDOWS, FLOAT32, 2.5), (WINDOWS, BFLOAT16, 2.5), (WINDOWS, FASTER, 1.0), (SEQUENTIAL, FASTER, 1.0))
    heard = ", ".join(f"{name} {median['words']:.0f}" for name, median in one["median"].items())
    return Section(
        "Speech",
        f"Whisper tiny.en, {SECONDS} seconds of sound, greedy; features and text included. Ours is bfloat16 "
        f"in windows of 30 seconds that share 2 on either side, {AT_ONCE} at once, as transformers' pipeline hears "
        "them, where the projection onto the vocabulary is int8; and with an int8 decoder sequentially, from one time "
        "stamp to the next, as faster-whisper (int8, beam 1) does.",
        [
            compare(
                ours,
                one,
                SPEED,
                ours=ours,
                theirs=theirs,
                name=theirs,
                form="{:.1f} s of sound/s",
                goal=Goal(at_least=least),
            )
            for ours, theirs, least in beside
        ],
        picture="speech",
        after=[f"Words written: {heard}."],
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, axes = one_panel()
    values = {name: found[SPEED] for name, found in entries["two minutes"]["median"].items()}
    ranking(axes, values, title="speech to text", unit="seconds of sound a second", form="%.1f")
    save(figure, folder, "speech")


PART = Part(measure, section, draw)
