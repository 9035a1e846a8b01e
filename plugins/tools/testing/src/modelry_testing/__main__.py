"""`python -m modelry_testing NAME`: run the contracts of an installed plugin. `modelry plugins check NAME` calls this.

Exit status: 0 the contracts are kept, 1 a check failed or all were skipped, 2 no such plugin.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from modelry_registry import ModelryError, Registry, get_registry
from modelry_testing.contract import run
from modelry_testing.contracts import contracts_of
from modelry_testing.outcomes import Outcome, as_data, by_plugin, counted, told, verdict


def main(arguments: Sequence[str] | None = None, *, registry: Registry | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; None reads them from the process.
        registry: where to look for the plugin; None means what is installed.
    """
    parser = ArgumentParser(prog="python -m modelry_testing", description="Check that a plugin keeps its contracts.")
    parser.add_argument("name", help="the plugin's name: a model_type, a task, a strategy, a quant_method …")
    parser.add_argument(
        "--kind", help="models, tasks, decoders, quantizers …; without it, every kind that has the name"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    chosen = parser.parse_args(arguments)
    try:
        contracts = contracts_of(chosen.name, kind=chosen.kind, registry=registry or get_registry())
    except ModelryError as error:
        print(error, file=sys.stderr)
        return 2
    outcomes: list[Outcome] = []
    for contract in contracts:
        outcomes += run(contract)
    if chosen.json:
        print(json.dumps(as_data(outcomes), indent=2))
    else:
        print("\n".join(told(outcomes)))
        if len(contracts) > 1:
            print(counted(outcomes))
    return int(any(verdict(group) for _, group in by_plugin(outcomes)))


if __name__ == "__main__":
    sys.exit(main())
