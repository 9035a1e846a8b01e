"""Run every plugin in a process of its own, with a time limit, and say what is wrong with it.

A plugin that hangs, exits, crashes the interpreter or prints harms neither the report nor the other plugins.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from modelry_registry.candidates import IN_PROCESS, Finding
from modelry_registry.controls import STRICT
from modelry_registry.health import inspect_metadata
from modelry_registry.naming import quoted
from modelry_registry.registry import Registry


def examine_all(registry: Registry, *, timeout_seconds: float = 30.0, workers: int = 4) -> list[Finding]:
    """Everything `inspect_metadata` finds, and what running each enabled plugin shows.

    Args:
        timeout_seconds: for each plugin.
        workers: how many plugins run at a time.
    """
    usable = (one for one in registry.candidates if registry.usable(one) and one.module != IN_PROCESS)
    distributions = sorted({one.distribution for one in usable})
    with ThreadPoolExecutor(max_workers=workers) as pool:
        results = pool.map(lambda name: examine(name, timeout_seconds=timeout_seconds), distributions)
        ran = [finding for found in results for finding in found]
    return sorted({*inspect_metadata(registry), *ran}, key=lambda one: (not one.problem, one))


def examine(distribution: str, *, timeout_seconds: float) -> list[Finding]:
    """Run one distribution's plugin in a fresh interpreter that sees the sys.path of this one."""
    command = [sys.executable, "-P", "-m", "modelry_registry.examine", distribution]
    environ = {key: value for key, value in os.environ.items() if key != STRICT}
    environ["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that what the plugin started ends with it
    )
    try:
        output, errors = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        message = f"{distribution} did not finish within {timeout_seconds:g} s and was stopped"
        return [Finding(True, "broken", distribution, message)]
    try:
        found = [Finding(True, code, distribution, message) for code, message in json.loads(output)]
    except ValueError:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        message = f"{distribution} ended its process with status {process.returncode}; last words: {quoted(last)}"
        return [Finding(True, "broken", distribution, message)]
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def summary(findings: Iterable[Finding]) -> str:
    """One line: how many problems, how many notes."""
    found = list(findings)
    problems = sum(one.problem for one in found)
    return f"problems: {problems}, notes: {len(found) - problems}"
