"""An answer in parts: the model runs in a thread of its own, the caller iterates."""

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from torch import Tensor

from modelry.errors import ModelryWarning
from modelry.generation import GenerationConfig
from modelry.generation.precedence import combined
from modelry.generation.strategy import choose_strategy
from modelry.generation.streamers import TextIteratorStreamer
from modelry.model import PreTrainedModel
from modelry_registry import get_registry

if TYPE_CHECKING:
    from modelry.pipelines.stages import Pipeline


class Stop(threading.Event):
    """A stopping criterion that another thread can give: every row ends at the next token."""

    def __call__(self, ids: Tensor, scores: object, **options: object) -> bool:
        return self.is_set()


class Parts(TextIteratorStreamer):
    """The text of one answer. A failure ends it; the pipeline raises the error, with the item's name."""

    def fail(self, error: BaseException) -> None:
        self.end()


def stream_text(
    pipe: "Pipeline[Any]", item: Any, parameters: dict[str, Any], *, skip_special_tokens: bool, new: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the new text as it is generated. Closing the iterator, or ctrl-C, stops the model at its next token.

    Args:
        pipe: of a task that generates text, with a tokenizer.
        parameters: of the call, the pipeline's defaults among them.
        new: parameters by which an answer is the new text alone, for what comes in one part.

    Raises:
        PipelineError: the item failed; the parts before it have been given.
    """
    if not can_stream(pipe.model, parameters):
        yield pipe.display(pipe(item, **{**parameters, **new}))
        return
    stop = Stop()
    streamer = Parts(pipe.needed_tokenizer(), skip_prompt=True, skip_special_tokens=skip_special_tokens)
    criteria = [*(parameters.get("stopping_criteria") or ()), stop]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            pipe(item, **{**parameters, "streamer": streamer, "stopping_criteria": criteria})
        except BaseException as error:  # raised again where the caller is
            failures.append(error)
        finally:
            streamer.end()

    thread = threading.Thread(target=copy_context().run, args=(work,), name=pipe.task, daemon=True)
    thread.start()
    try:
        yield from streamer
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


def can_stream(model: PreTrainedModel, parameters: Mapping[str, Any]) -> bool:
    """Whether these parameters ask for one sequence, and choose a strategy that knows its text before the end."""
    fields = {name: value for name, value in parameters.items() if name in GenerationConfig.model_fields}
    given = parameters.get("generation_config")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelryWarning)  # generate says it again
        config = combined(fields, given, model.generation_config, model.config, parameters)
    strategy, _ = choose_strategy(config, parameters)
    return (config.num_return_sequences or 1) == 1 and get_registry().get("decoders", strategy).streams
