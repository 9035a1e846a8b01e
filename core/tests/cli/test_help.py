"""The help of a command is there at once."""

import subprocess
import sys

import pytest

GENERATING = (
    "--max-new-tokens",
    "--temperature",
    "--seed",
    "--strategy",
    "--device",
    "--dtype",
    "--quantization",
    "--quantization-set",
    "--set",
    "--debug",
)
OPTIONS = {"run": GENERATING, "chat": GENERATING, "plan": ("--memory",), "quantize": ("--scheme",)}


@pytest.mark.parametrize("command", OPTIONS)
def test_help_imports_neither_torch_nor_pydantic(command: str) -> None:
    code = (
        f"import sys; from modelry.cli.{command} import {command} as command\n"
        "try: command(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'pydantic', 'tokenizers', 'numpy', 'tqdm'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for option in OPTIONS[command]:
        assert option in done.stdout
