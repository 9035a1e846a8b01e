"""The callbacks that a training has without being asked: flow, progress, the report, and the reporters of report_to."""

import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelry_registry import get_registry, resolve
from modelry_trainer.callbacks.flow import DefaultFlowCallback
from modelry_trainer.callbacks.printing import PrinterCallback
from modelry_trainer.callbacks.progress import ProgressCallback
from modelry_trainer.callbacks.report import ReportCallback
from modelry_trainer.debugging import NumbersCallback
from modelry_trainer.distributed.world import World

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


def standard_callbacks(args: "TrainingArguments", world: World) -> Iterator[Any]:
    """In the order in which they listen; of several processes, one shows and reports.

    Raises:
        UnknownName, MissingPlugin: nobody provides a reporter of that name.
    """
    yield DefaultFlowCallback()
    if args.debug:
        yield NumbersCallback()
    if not world.speaks:
        return
    if args.get_process_log_level() <= logging.WARNING:
        yield ProgressCallback() if sys.stderr.isatty() and not args.disable_tqdm else PrinterCallback()
    if not world.is_first:
        return
    registry = get_registry()
    for name in args.report_to:
        names = [name]
        if name == "all":
            names = [one for one in registry.names("callbacks") if registry.get("callbacks", one).reports]
        for one in names:
            made: Any = resolve(registry.get("callbacks", one).callback)
            yield made()
    if args.report_html:
        yield ReportCallback()
