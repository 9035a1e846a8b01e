"""Every way a GGUF file can lie ends in a CheckpointError: no crash, no hang, no memory beyond the file's own size."""

import random
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Type

from modelry.errors import CheckpointError
from modelry_gguf.container import open_container
from modelry_gguf.reader import GgufReader


def text(value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    """`shape` as the file has it: the fastest dimension first."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def file(
    pairs: Sequence[bytes] = (), tensors: Sequence[bytes] = (), *, data: int = 0, version: int = 3,
    tensor_count: int | None = None, pair_count: int | None = None,
) -> bytes:  # fmt: skip
    counts = len(tensors) if tensor_count is None else tensor_count, len(pairs) if pair_count is None else pair_count
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


HUGE = 1 << 62
LIES = {
    "empty": (b"", "is empty"),
    "another format": (b"PK\x03\x04" + bytes(60), "not a GGUF file"),
    "only the magic": (b"GGUF", "the version needs 4 bytes"),
    "version 1": (file(version=1), "version 1"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian version 3"),
    "many pairs": (file(pair_count=HUGE), "needs [48] bytes"),
    "many tensors": (file(tensor_count=HUGE), "needs [48] bytes"),
    "a huge key": (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, HUGE), "the limit is 65,535"),
    "a huge string": (file([text("a") + struct.pack("<IQ", 8, HUGE)]), "only"),
    "a string that is no text": (file([pair("a", 8, text(b"\xff\xfe"))]), "not UTF-8"),
    "a key twice": (file([pair("a", 7, b"\1"), pair("a", 7, b"\1")]), "comes twice"),
    "a type of value": (file([pair("a", 99, b"")]), "unknown type 99"),
    "a type of element": (file([pair("a", 9, struct.pack("<IQ", 99, 1))]), "unknown type 99"),
    "many numbers": (file([pair("a", 9, struct.pack("<IQ", 12, HUGE))]), "elements"),
    "many strings": (file([pair("a", 9, struct.pack("<IQ", 8, HUGE))]), "strings"),
    "many arrays": (file([pair("a", 9, struct.pack("<IQ", 9, HUGE))]), "arrays"),
    "a string in a list": (file([pair("a", 9, struct.pack("<IQQ", 8, 1, HUGE))], data=64), "string 0"),
    "a list that stops": (file([pair("a", 9, struct.pack("<IQQQ", 8, 5, 30, 0) + bytes(22))], data=0), "string|claims"),
    "arrays in arrays": (file([pair("a", 9, struct.pack("<IQ", 9, 1) * 3000)]), "deeper than 4"),
    "an alignment": (file([pair("general.alignment", 4, struct.pack("<I", 0))]), "general.alignment is 0"),
    "an alignment of another type": (file([pair("general.alignment", 8, text("32"))]), "must be a whole number"),
    "parts": (file([pair("split.count", 2, struct.pack("<H", 3))]), "one of 3 parts"),
    "dimensions": (file(tensors=[text("t") + struct.pack("<I", 1 << 31)]), "dimensions"),
    "an empty shape": (file(tensors=[tensor("t", (32, 0))]), "empty shape"),
    "a huge shape": (file(tensors=[tensor("t", (HUGE, HUGE, HUGE, HUGE))]), "needs"),
    "a type of tensor": (file(tensors=[tensor("t", (32,), 200)]), "type number 200"),
    "broken blocks": (file(tensors=[tensor("t", (33,), 2)]), "no multiple of the 32 of Q4_0"),
    "an offset": (file(tensors=[tensor("t", (32,), 0, HUGE)], data=128), "after the end of the file"),
    "a crooked offset": (file(tensors=[tensor("t", (32,), 0, 7)], data=256), "no multiple of the alignment"),
    "overlapping": (file(tensors=[tensor("a", (32,)), tensor("b", (32,), 0, 96)], data=512), "'b' overlaps tensor 'a'"),
    "a tensor twice": (file(tensors=[tensor("t", (32,)), tensor("t", (32,), 0, 128)], data=512), "comes twice"),
    "a long name": (file(tensors=[text(b"x" * 5000)]), "the limit is 1,024"),
    "missing data": (file(tensors=[tensor("t", (32,))], data=127), "after the end of the file"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused_in_words(tmp_path: Path, name: str) -> None:
    content, words = LIES[name]
    path = tmp_path / "lie.gguf"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words) as caught:
        open_container(path)
    assert str(path) in str(caught.value)


def test_every_kind_of_value(tmp_path: Path) -> None:
    kinds = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 10: "Q", 11: "q", 12: "d"}
    pairs = [pair(f"scalar.{kind}", kind, struct.pack(f"<{code}", 7)) for kind, code in kinds.items()]
    pairs += [pair(f"list.{kind}", 9, struct.pack(f"<IQ2{code}", kind, 2, 7, 8)) for kind, code in kinds.items()]
    pairs += [pair("yes", 7, b"\1"), pair("text", 8, text("é")), pair("none", 9, struct.pack("<IQ", 8, 0))]
    pairs += [pair("bools", 9, struct.pack("<IQ", 7, 2) + b"\0\1"), pair("epsilon", 6, struct.pack("<f", 1e-5))]
    pairs += [pair("texts", 9, struct.pack("<IQ", 8, 2) + text("a") + text(""))]
    pairs += [pair("nested", 9, struct.pack("<IQIQ", 9, 1, 8, 1) + text("deep"))]
    path = tmp_path / "values.gguf"
    for version in (2, 3):
        path.write_bytes(file(pairs, [tensor("t", (32, 2))], data=256, version=version))
        container = open_container(path)
        values = container.facts.values
        assert [values[f"scalar.{kind}"] for kind in kinds] == [7] * len(kinds)
        assert all(list(values[f"list.{kind}"]) == [7, 8] for kind in kinds)
        assert (values["yes"], values["text"]) == (True, "é")
        assert list(values["bools"]) == [False, True]
        assert values["epsilon"] == 1e-5  # not the double next to the float32
        assert (container.facts.texts("texts"), container.facts.texts("none")) == (["a", ""], [])
        assert [one.read() for one in values["nested"]] == [["deep"]]
        assert container.tensors["t"].shape == (2, 32)


def test_strings_are_decoded_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "values.gguf"
    path.write_bytes(
        file([pair("texts", 9, struct.pack("<IQ", 8, 2) + text("a") + text(b"b\xff"))], [tensor("t", (32,))], data=128)
    )
    facts = open_container(path).facts
    with pytest.raises(
        CheckpointError, match=rf"{path}: string 1 of .*'texts' is not UTF-8 \(.* at byte \d+ of the file"
    ):
        facts.texts("texts")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Any], byte_level_tokenizer: Any) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "tiny.gguf"
    write_model(path, kind=Type.Q4_1, tokenizer=byte_level_tokenizer, num_hidden_layers=1)
    return path.read_bytes()


def use(path: Path) -> bool:
    """Do all a loader does; any error but CheckpointError goes through. Whether the file was good."""
    try:
        with GgufReader(path) as reader:
            reader.config()
            reader.generation_config()
            reader.tokenizer_files()
            for name in reader.names():
                reader.info(name)
                reader.read(name)
    except CheckpointError:
        return False
    return True


def mutations(tiny: bytes, count: int) -> Iterator[bytes]:
    """Deterministic damage: cuts, flipped bits, lengths and counts that lie, pieces moved."""
    rng = random.Random(0)
    head = tiny.index(b"output_norm.weight") + 4096  # beyond it there are only weights
    for length in (*range(64), *rng.sample(range(head), count // 8)):
        yield tiny[:length]
    numbers = [0, 1, 255, 1 << 31, (1 << 32) - 1, 1 << 40, HUGE, (1 << 64) - 1]
    for _ in range(count):
        damaged = bytearray(tiny)
        for _ in range(rng.choice((1, 1, 1, 3, 30))):
            at = rng.randrange(head)
            match rng.randrange(4):
                case 0:
                    damaged[at] ^= 1 << rng.randrange(8)
                case 1:
                    damaged[at : at + 8] = struct.pack("<Q", rng.choice(numbers))
                case 2:
                    damaged[at : at + 4] = struct.pack("<I", rng.choice(numbers) & 0xFFFFFFFF)
                case _:
                    source = rng.randrange(head)
                    damaged[at : at + 16] = damaged[source : source + 16]
        yield bytes(damaged)


def fields_of(tiny: bytes) -> list[int]:
    """Where the lengths, counts, types and offsets of the tensor table and of the first keys are."""
    start = tiny.index(b"token_embd.weight") - 8
    return [4, 8, 16, *range(24, 400, 4), *range(start, start + 900, 4)]


def test_thousands_of_damaged_files(tmp_path: Path, tiny: bytes) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(tiny)
    assert use(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for content in mutations(tiny, 2000):
        path.write_bytes(content)
        refused += not use(path)
    assert 800 < refused < 2250  # the others hit a text or a weight, which may be anything
    for at in fields_of(tiny):
        for value in (0, 0xFFFFFFFF, 0x7FFFFFFF, 1 << 20):
            path.write_bytes(tiny[:at] + struct.pack("<I", value) + tiny[at + 4 :])
            use(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 100e6, f"resident memory rose by {grown / 1e6:.0f} MB"


def test_damage_cannot_reserve_memory(tmp_path: Path) -> None:
    """Each lie again, in a process that may not have more than 1 GB of addresses."""
    for index, (content, _) in enumerate(LIES.values()):
        (tmp_path / f"{index}.gguf").write_bytes(content)
    program = (
        "import resource, sys; from pathlib import Path; from modelry.errors import CheckpointError\n"
        "from modelry_gguf.reader import GgufReader\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "for path in sorted(Path(sys.argv[1]).glob('*.gguf')):\n"
        "    try: GgufReader(path)\n"
        "    except CheckpointError: continue\n"
        "    sys.exit(f'{path} was read')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
