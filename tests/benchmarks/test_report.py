"""The page and the plots of numbers that were made up."""

import pytest

pytest.importorskip("matplotlib", reason="requirements/bench.txt")

from benchmarks.__main__ import keep, read, write
from benchmarks.parts import PARTS, batches, forward, growth, photographs

CONDITIONS = dict.fromkeys(
    (
        *("modelry", "transformers", "llama_cpp_python", "day", "processor", "cores", "system", "threads", "torch"),
        "python",
    ),
    "some",
)


def numbers(sides, keys, ours=2.0):
    """Medians and five equal runs; our side has `ours` and the others 1."""
    values = {side: dict.fromkeys(keys, ours if side.startswith(("ours", "modelry")) else 1.0) for side in sides}
    return {"median": values, "runs": {side: [one] * 5 for side, one in values.items()}}


def made_up(ours=2.0):
    sizes = [f"context {size}" for size in growth.CONTEXTS] + [f"batch {size}" for size in growth.BATCHES]
    return {
        "batches": {f"batch {n}": numbers(("ours", "theirs"), (batches.TOTAL, batches.DECODE), ours) for n in (8, 32)},
        "growth": {size: numbers(growth.SIDES, (growth.DECODE,)) for size in sizes},
    }


def test_parts_that_were_measured_make_the_page(tmp_path):
    write({**made_up(), "conditions": CONDITIONS}, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "2 of 2 goals were met" in page
    assert "| batch 8, all tokens | 2 tokens/s | transformers: 1 tokens/s | **2.00** |" in page
    assert "| context | 128 | 512 |" in page
    assert "Prompt lookup" not in page
    for name in ("batches", "growth"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
        assert (tmp_path / f"{name}.svg").stat().st_size > 5000
    write({**made_up(ours=1.4), "conditions": CONDITIONS}, tmp_path)
    assert (
        "missed: batch 8, all tokens (beside transformers, ≥ 1.5 ×); batch 32" in (tmp_path / "README.md").read_text()
    )


def test_a_part_of_another_machine_says_so(tmp_path):
    write({**made_up(), "conditions": CONDITIONS, "machines": {"batches": "some", "growth": "older"}}, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert page.count("*Measured on another machine") == 1
    assert page.index("## How cost grows") < page.index("*Measured on another machine: older.*")


def test_equal_numbers_make_equal_files(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write({**made_up(), "conditions": CONDITIONS}, tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes(), file.name


def test_a_part_leaves_the_numbers_of_others(tmp_path):
    file = tmp_path / "docs" / "results.json"
    keep(file, batches={"old": 1}, lookup={"kept": 2})
    keep(file, batches={"new": 3})
    assert read(file) == {"batches": {"new": 3}, "lookup": {"kept": 2}}


def test_every_part_has_a_name_on_the_command_line():
    wanted = {
        "engines",
        "batches",
        "first_token",
        "lookup",
        "growth",
        "generate",
        "memory",
        "gguf",
        "imports",
        "compiled",
        "second_question",
        "speech",
        "forward",
        "photographs",
        "sentences",
        "training",
    }
    assert set(PARTS) == wanted


def test_goals_of_forward_passes_and_photographs_are_judged(tmp_path):
    measured = {
        "forward": {
            f"{name} {batch}": numbers(("ours", "theirs"), (forward.RATE,))
            for name in forward.SHAPES
            for batch in (1, 16)
        },
        "photographs": {kind: numbers(("ours", "theirs"), (photographs.RATE, "mean")) for kind in photographs.KINDS},
        "sentences": {"sentences": numbers(("ours", "theirs"), ("sentences_per_second",)) | {"apart": 0.0}},
    }
    write({**measured, "conditions": CONDITIONS}, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "10 of 10 goals were met" in page
    assert "| ViT-B/16, batch 16 | 2.00 items/s | transformers: 1.00 items/s | **2.00** |" in page
    assert (tmp_path / "forward.png").stat().st_size > 5000
    assert (tmp_path / "photographs.svg").stat().st_size > 5000
