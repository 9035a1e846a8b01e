"""Text generation: configuration, the session that strategies drive, logits processors, stopping, streamers.

Importing it imports no torch; a name brings its room along when it is first used.
"""

import importlib
from typing import Any

_ROOMS = {
    "modelry.generation.call": "generate",
    "modelry.generation.choosing": "draw likeliest",
    "modelry.generation.configuration": "GenerationConfig",
    "modelry.generation.parameters": "DecoderParameters",
    "modelry.generation.session": "Session Settings",
    "modelry.generation.generated_output": (
        "GenerateOutput GenerateDecoderOnlyOutput GenerateEncoderDecoderOutput GenerateBeamDecoderOnlyOutput "
        "GenerateBeamEncoderDecoderOutput"
    ),
    "modelry.generation.stopping": (
        "StoppingCriteria StoppingCriteriaList MaxLengthCriteria MaxTimeCriteria EosTokenCriteria StopStringCriteria"
    ),
    "modelry.generation.streamers": "BaseStreamer TextStreamer TextIteratorStreamer AsyncTextIteratorStreamer",
    "modelry.generation.processors": (
        "ClassifierFreeGuidanceLogitsProcessor EncoderNoRepeatNGramLogitsProcessor "
        "EncoderRepetitionPenaltyLogitsProcessor EpsilonLogitsWarper EtaLogitsWarper ExponentialDecayLengthPenalty "
        "ForcedBOSTokenLogitsProcessor ForcedEOSTokenLogitsProcessor FrequencyPenaltyLogitsProcessor "
        "InfNanRemoveLogitsProcessor LogitNormalization LogitsProcessor LogitsProcessorList MinLengthLogitsProcessor "
        "MinNewTokensLengthLogitsProcessor MinPLogitsWarper NoBadWordsLogitsProcessor NoRepeatNGramLogitsProcessor "
        "PrefixConstrainedLogitsProcessor PresencePenaltyLogitsProcessor RepetitionPenaltyLogitsProcessor "
        "SequenceBiasLogitsProcessor SuppressTokensAtBeginLogitsProcessor SuppressTokensLogitsProcessor "
        "TemperatureLogitsWarper TopHLogitsWarper TopKLogitsWarper TopPLogitsWarper TypicalLogitsWarper "
        "UnbatchedClassifierFreeGuidanceLogitsProcessor"
    ),
}
"""Module to the public names it has."""

_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = sorted(_ROOM_OF)  # noqa: PLE0605  a sorted list of strings


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module 'modelry.generation' has no attribute {name!r}")
    value = getattr(importlib.import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
