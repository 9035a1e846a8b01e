"""Ask mypy what it makes of every public name: those that are loaded on use are for it whatever a `TYPE_CHECKING` block
says, and without one they are Any, of which no editor can say anything.

    python scripts/typed_names.py    exits with 1 and the names that are Any
"""

import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

PACKAGES = (
    "modelry",
    "modelry.cache",
    "modelry.checkpoint",
    "modelry.generation",
    "modelry.packed",
    "modelry.parallel",
    "modelry.pipelines",
    "modelry.preprocessing",
    "modelry_registry",
)


def main() -> int:
    """The exit status."""
    names = [f"{package}.{name}" for package in PACKAGES for name in import_module(package).__all__]
    lines = [*(f"import {package}" for package in PACKAGES), *(f"reveal_type({name})" for name in names)]
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.py"
        asked.write_text("\n".join(lines))
        said = subprocess.run([sys.executable, "-m", "mypy", str(asked)], capture_output=True, text=True, check=False)
    types = re.findall(r'Revealed type is "(.*)"', said.stdout)
    if said.returncode or len(types) != len(names):
        print(said.stdout + said.stderr)
        return 1
    unknown = [name for name, one in zip(names, types, strict=True) if one.startswith("Any")]
    print(f"{len(names)} public names are typed" if not unknown else f"for mypy these are Any: {', '.join(unknown)}")
    return bool(unknown)


if __name__ == "__main__":
    sys.exit(main())
