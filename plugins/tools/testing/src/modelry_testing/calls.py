"""How much Python a piece of work runs, in calls: a figure that does not depend on the machine or on what else it does.

Built-in functions count as much as Python's own; what happens inside them does not. For seconds there is `make bench`.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelry_testing.errors import ContractBroken

_FRESH = """
import sys
calls = 0
def count(frame, event, argument):
    global calls
    calls += event in ("call", "c_call")
code = compile(sys.argv[1], "<counted>", "exec")
sys.setprofile(count)
exec(code, {"__name__": "__main__"})
sys.setprofile(None)
print(f"\\n{calls}")
"""


def calls(function: Callable[..., Any], *arguments: Any) -> int:
    """Calls that `function(*arguments)` makes in this thread, itself included."""
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return made


def calls_in_a_fresh_interpreter(code: str, *, path: str | Path = "") -> int:
    """Calls that `code` makes in an interpreter of its own, imports included.

    Args:
        path: a folder that it finds modules and distributions in, before all others.

    Raises:
        ContractBroken: it failed; with what was said.
    """
    found = os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": found},
    )
    if done.returncode:
        raise ContractBroken(f"{code!r} fails in a fresh interpreter: {done.stderr}")
    return int(done.stdout.splitlines()[-1])
