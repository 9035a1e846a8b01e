"""Install packages of this repository for editing, all at once: pip alone starts three interpreters for each of them.

python scripts/install_editable.py registry core plugins/models/llama
python scripts/install_editable.py --no-deps plugins/callbacks/mlflow    what it needs would move others back

Hatchling writes the wheels that make a folder importable, one pip call installs them with what they depend on, and
each is marked as editable the way pip marks its own (PEP 610).
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from hatchling.build import build_editable

PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
ORIGIN = "direct_url.json"


def build(packages: list[Path], target: Path) -> dict[Path, Path]:
    """Wheel to the folder of the package that it points to."""
    start, wheels = Path.cwd(), {}
    try:
        for package in packages:
            os.chdir(package)
            wheels[target / build_editable(str(target))] = package
    finally:
        os.chdir(start)
    return wheels


def mark(wheel: Path, package: Path) -> None:
    """Say where an installed distribution is edited: the wheel it came from is gone when this script ends."""
    name, version = wheel.name.split("-")[:2]
    info = Path(str(distribution(name).locate_file(f"{name}-{version}.dist-info")))
    (info / ORIGIN).write_text(json.dumps({"dir_info": {"editable": True}, "url": package.as_uri()}))
    record = info / "RECORD"
    rows = record.read_text().splitlines()
    entry = f"{info.name}/{ORIGIN},"
    record.write_text("".join(f"{entry},\n" if row.startswith(entry) else f"{row}\n" for row in rows))


def main(arguments: list[str]) -> None:
    folders = [one for one in arguments if not one.startswith("--")]
    options = [one for one in arguments if one.startswith("--")]
    with tempfile.TemporaryDirectory() as temporary:
        wheels = build([Path(folder).resolve() for folder in folders], Path(temporary))
        subprocess.run([*PIP, *options, *map(str, wheels)], check=True)
        for wheel, package in wheels.items():
            mark(wheel, package)


if __name__ == "__main__":
    main(sys.argv[1:])
