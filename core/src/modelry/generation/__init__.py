"""Text generation: configuration, the session that strategies drive, logits processors, stopping, streamers.

Importing it imports no torch; a name brings its room along when it is first used.
"""

from typing import TYPE_CHECKING

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry.generation.call import generate as generate
    from modelry.generation.choosing import draw as draw
    from modelry.generation.choosing import likeliest as likeliest
    from modelry.generation.configuration import GenerationConfig as GenerationConfig
    from modelry.generation.generated_output import *  # noqa: F403  its public names
    from modelry.generation.parameters import DecoderParameters as DecoderParameters
    from modelry.generation.processors import *  # noqa: F403  its public names
    from modelry.generation.session import Session as Session
    from modelry.generation.session import Settings as Settings
    from modelry.generation.stopping import *  # noqa: F403  its public names
    from modelry.generation.streamers import *  # noqa: F403  its public names

_ROOMS = {
    "call": "generate",
    "choosing": "draw likeliest",
    "configuration": "GenerationConfig",
    "parameters": "DecoderParameters",
    "session": "Session Settings",
    "generated_output": (
        "GenerateOutput GenerateDecoderOnlyOutput GenerateEncoderDecoderOutput GenerateBeamDecoderOnlyOutput "
        "GenerateBeamEncoderDecoderOutput"
    ),
    "stopping": (
        "StoppingCriteria StoppingCriteriaList MaxLengthCriteria MaxTimeCriteria EosTokenCriteria StopStringCriteria"
    ),
    "streamers": "BaseStreamer TextStreamer TextIteratorStreamer AsyncTextIteratorStreamer",
    "processors": (
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

__all__ = sorted(" ".join(_ROOMS.values()).split())  # noqa: PLE0605  a sorted list of strings

__getattr__, __dir__ = lazy_names(__name__, _ROOMS)
