"""Looking at what is installed is cheap: CPU time in a fresh interpreter, the best of several runs.

The limits are those of the project; the best of several runs, because a busy machine only ever adds.
"""

import os
import resource
import subprocess
import sys
import time

HEAVY = ("torch", "numpy", "pydantic", "transformers", "tokenizers", "huggingface_hub", "jinja2", "modelry")


def cpu_seconds(code: str, *, limit: float, path: str = "") -> float:
    """CPU time of a fresh interpreter that runs `code`; the best of up to twenty, stopping below `limit`."""
    best = float("inf")
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH", "")]))}
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=environ, stdout=subprocess.DEVNULL, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if best < limit:
            break
        time.sleep(0.1)  # the machine is busy
    return best


def test_import_and_one_scan_of_300_distributions(site):
    for number in range(300):
        entries = {"console_scripts": ["x"]} if number % 2 else {}
        if number < 50:
            entries = {"modelry.tasks.v1": [f"toy-{number}"]}
        site.metadata(f"other-{number}", "1.0", entries, "zz_m")
    code = "import modelry_registry; assert len(modelry_registry.get_registry().names('tasks')) >= 50"
    assert cpu_seconds(code, limit=0.15, path=str(site.folder)) < 0.15


LIST = "import sys; sys.argv = ['modelry', 'plugins', 'list']\nfrom modelry_registry.cli import main\n"


def test_list_takes_little_cpu():
    assert cpu_seconds(LIST + "main()", limit=0.3) < 0.3


def test_list_imports_no_plugin_and_nothing_heavy():
    code = LIST + (
        "main(standalone_mode=False)\n"
        f"heavy = [name for name in sys.modules if name.split('.')[0] in {HEAVY!r} or name.endswith('._plugin')]\n"
        "heavy += [n for n in sys.modules if n.startswith('modelry_') and n.split('.')[0] != 'modelry_registry']\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)
