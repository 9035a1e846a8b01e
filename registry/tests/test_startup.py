"""Looking at what is installed is cheap: calls in a fresh interpreter, which no busy machine changes.

Seconds are the business of `make bench`.
"""

import subprocess
import sys

from modelry_testing.calls import calls_in_a_fresh_interpreter

HEAVY = ("torch", "numpy", "pydantic", "transformers", "tokenizers", "huggingface_hub", "jinja2", "modelry")
SCAN = "import modelry_registry; modelry_registry.get_registry().names('tasks')"
LIST = "import sys; sys.argv = ['modelry', 'plugins', 'list']\nfrom modelry_registry.cli import main\n"


def test_one_scan_of_300_more_distributions(site):
    for number in range(300):
        entries = {"console_scripts": ["x"]} if number % 2 else {}
        if number < 50:
            entries = {"modelry.tasks.v1": [f"toy-{number}"]}
        site.metadata(f"other-{number}", "1.0", entries, "zz_m")
    check = "assert len(modelry_registry.get_registry().names('tasks')) >= 50"
    with_them = calls_in_a_fresh_interpreter(f"{SCAN}; {check}", path=site.folder)
    assert with_them - calls_in_a_fresh_interpreter(SCAN) < 300 * 270  # measured: 136 each


def test_list_takes_little_more_than_the_scan():
    scan = calls_in_a_fresh_interpreter(SCAN)
    assert calls_in_a_fresh_interpreter(LIST + "main(standalone_mode=False)") < scan + 120_000  # measured: 60,000


def test_list_imports_no_plugin_and_nothing_heavy():
    code = LIST + (
        "main(standalone_mode=False)\n"
        f"heavy = [name for name in sys.modules if name.split('.')[0] in {HEAVY!r} or name.endswith('._plugin')]\n"
        "heavy += [n for n in sys.modules if n.startswith('modelry_') and n.split('.')[0] != 'modelry_registry']\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)
