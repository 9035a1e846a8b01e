"""Every example of docs/neighbours.md is run by a test of its package; the versions it names are those tried."""

import re
from importlib.metadata import version
from pathlib import Path


def test_examples_are_run_and_versions_are_those_installed(repository: Path) -> None:
    text = (repository / "docs" / "neighbours.md").read_text(encoding="utf-8")
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for section in text.split("\n## ")[1:]:
        heading = section.splitlines()[0]
        assert f"\n| {heading} |" in text
        if "```python" in section:
            assert f'documented("{heading}"' in tests, f"no test runs the examples under {heading!r}"
    names = {"ONNX": "onnx", "torch.export": "torch"}
    for name, said in re.findall(r"^\| ([\w.-]+) \| ([^|]+) \|", text, re.MULTILINE):
        if name != "package":
            assert version(names.get(name, name)).split("+")[0].startswith(re.findall(r"\d[\d.]*\d", said)[0]), name
    for name, said in re.findall(r"(onnx\w+) (\d[\d.]*\d)", text):
        assert version(name) == said
