"""Write the registry's known_plugins.json from the pyproject.toml of every package in the repository.

python scripts/known_plugins.py            write it
python scripts/known_plugins.py --check    fail if it is not current
"""

import json
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
INDEX = REPOSITORY / "registry" / "src" / "modelry_registry" / "known_plugins.json"


def collect(repository: Path) -> dict[str, dict[str, str]]:
    """Kind to name to distribution, for all entry points in `modelry.<kind>.v<api>` groups.

    Raises:
        ValueError: two packages declare one name.
    """
    index: dict[str, dict[str, str]] = {}
    for file in sorted([*repository.glob("*/pyproject.toml"), *repository.glob("plugins/*/*/pyproject.toml")]):
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
        for group, entries in project.get("entry-points", {}).items():
            if not group.startswith("modelry."):
                continue
            names = index.setdefault(group.split(".")[1], {})
            for name in entries:
                owner = names.setdefault(name, project["name"])
                if owner != project["name"]:
                    raise ValueError(f"{file} and {owner} both declare {name} in {group}")
    return index


def main(arguments: list[str]) -> int:
    """Write or check the index; 1 if it is not current."""
    text = json.dumps(collect(REPOSITORY), indent=2, sort_keys=True) + "\n"
    if arguments == ["--check"]:
        current = INDEX.is_file() and INDEX.read_text(encoding="utf-8") == text
        if not current:
            print(f"{INDEX} is not current. Run: python scripts/known_plugins.py", file=sys.stderr)
        return 0 if current else 1
    INDEX.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
