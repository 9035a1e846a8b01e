"""Which processors a GenerationConfig asks for, in the ecosystem's order: results depend on it."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation.configuration import GenerationConfig
from modelry.generation.processors.bias import NoBadWordsLogitsProcessor, SequenceBiasLogitsProcessor
from modelry.generation.processors.guidance import UnbatchedClassifierFreeGuidanceLogitsProcessor
from modelry.generation.processors.lengths import (
    ExponentialDecayLengthPenalty,
    MinLengthLogitsProcessor,
    MinNewTokensLengthLogitsProcessor,
)
from modelry.generation.processors.ngrams import EncoderNoRepeatNGramLogitsProcessor, NoRepeatNGramLogitsProcessor
from modelry.generation.processors.normalization import InfNanRemoveLogitsProcessor, LogitNormalization
from modelry.generation.processors.penalties import (
    EncoderRepetitionPenaltyLogitsProcessor,
    FrequencyPenaltyLogitsProcessor,
    PresencePenaltyLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)
from modelry.generation.processors.processor import LogitsProcessor, LogitsProcessorList
from modelry.generation.processors.tokens import (
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    PrefixConstrainedLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
)
from modelry.generation.processors.truncation import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)
from modelry.generation.prompt import vocabulary_of

Made = list[LogitsProcessor]


def build_processors(
    config: GenerationConfig,
    *,
    model: Any,
    prompt_ids: Tensor,
    prompt_mask: Tensor | None,
    max_length: int,
    unwritten: int = 0,
    input_ids: Tensor | None = None,
    prefix_allowed_tokens_fn: Callable[[int, Tensor], Sequence[int]] | None = None,
    negative_prompt_ids: Tensor | None = None,
    negative_prompt_mask: Tensor | None = None,
    given: Iterable[LogitsProcessor] = (),
    hooked: Iterable[LogitsProcessor] = (),
) -> LogitsProcessorList:
    """Make the list: what changes single scores, the caller's own, what cuts the tail, the plugins', normalization.

    Args:
        prompt_ids: (B, P).
        prompt_mask: (B, P) or None.
        max_length: positions at which generation ends.
        unwritten: positions of a prompt that is not in the text, being embeddings; `min_length` counts them.
        input_ids: (B, S), what an encoder reads, or the prompt where there is none; None where it is no text.
        given: the caller's.
        hooked: those of plugins that take part.

    Raises:
        GenerationError: a value is impossible for its processor.
    """
    vocabulary = vocabulary_of(model)
    if vocabulary is not None:
        _check_against(vocabulary, config)
    try:
        made = LogitsProcessorList()
        scale = config.guidance_scale
        if scale is not None and scale != 1:
            if model.config.is_encoder_decoder:
                raise GenerationError(
                    f"guidance_scale={scale} compares an answer with one to a negative prompt, which only a "
                    f"decoder-only model reads in the same text: {type(model).__name__} has an encoder, leave it out"
                )
            if negative_prompt_ids is None and not prompt_ids.shape[1]:
                raise GenerationError(
                    f"guidance_scale={scale} compares with a text that begins with the prompt's last token, and the "
                    "prompt is embeddings: give negative_prompt_ids, or the prompt as input_ids"
                )
            made.append(
                UnbatchedClassifierFreeGuidanceLogitsProcessor(
                    scale, model, negative_prompt_ids, negative_prompt_mask, config.use_cache is not False
                )
            )
        if config.sequence_bias:
            made.append(SequenceBiasLogitsProcessor(config.sequence_bias))
        made += _against_repetition(config, prompt_ids.shape[1], prompt_mask, input_ids)
        made += _about_the_end(config, prompt_ids.shape[1], prefix_allowed_tokens_fn, max_length, unwritten)
        made += given
        if config.do_sample:
            made += _cutting(config)
        made += hooked
        if config.renormalize_logits:
            made.append(LogitNormalization())
    except ValueError as error:
        raise error if isinstance(error, GenerationError) else GenerationError(str(error)) from error
    return made


def _against_repetition(config: GenerationConfig, length: int, mask: Tensor | None, input_ids: Tensor | None) -> Made:
    made: Made = []
    if _set(config.encoder_repetition_penalty, 1.0):
        if input_ids is None:
            _no_text("encoder_repetition_penalty")
        else:
            made.append(EncoderRepetitionPenaltyLogitsProcessor(config.encoder_repetition_penalty or 1.0, input_ids))
    if _set(config.repetition_penalty, 1.0):
        # What the mask says of an embedded prompt, or of an earlier turn, is of positions that the text does not have.
        padding = None if mask is None or not length else (mask[:, -length:] != 0).int().argmax(dim=1)
        made.append(RepetitionPenaltyLogitsProcessor(config.repetition_penalty or 1.0, padding))
    if config.frequency_penalty:
        made.append(FrequencyPenaltyLogitsProcessor(config.frequency_penalty, length))
    if config.presence_penalty:
        made.append(PresencePenaltyLogitsProcessor(config.presence_penalty, length))
    if config.no_repeat_ngram_size:
        made.append(NoRepeatNGramLogitsProcessor(config.no_repeat_ngram_size))
    if config.encoder_no_repeat_ngram_size:
        if input_ids is None:
            _no_text("encoder_no_repeat_ngram_size")
        else:
            made.append(EncoderNoRepeatNGramLogitsProcessor(config.encoder_no_repeat_ngram_size, input_ids))
    return made


def _about_the_end(
    config: GenerationConfig,
    length: int,
    prefix: Callable[[int, Tensor], Sequence[int]] | None,
    max_length: int,
    unwritten: int,
) -> Made:
    """Words that must not come, and everything about first and last tokens."""
    made: Made = []
    ends = config.end_tokens
    if config.bad_words_ids:
        made.append(NoBadWordsLogitsProcessor(config.bad_words_ids, ends))
    if config.min_length and ends:
        made.append(MinLengthLogitsProcessor(max(0, config.min_length - unwritten), ends))
    if config.min_new_tokens and ends:
        made.append(MinNewTokensLengthLogitsProcessor(length, config.min_new_tokens, ends))
    if prefix is not None:
        made.append(PrefixConstrainedLogitsProcessor(prefix))
    if config.forced_bos_token_id is not None:
        made.append(ForcedBOSTokenLogitsProcessor(config.forced_bos_token_id))
    if config.forced_eos_token_id is not None:
        made.append(ForcedEOSTokenLogitsProcessor(max_length, config.forced_eos_token_id))
    if config.remove_invalid_values:
        made.append(InfNanRemoveLogitsProcessor())
    if config.exponential_decay_length_penalty is not None and ends:
        made.append(ExponentialDecayLengthPenalty(config.exponential_decay_length_penalty, ends, length))
    if config.suppress_tokens:
        made.append(SuppressTokensLogitsProcessor(config.suppress_tokens))
    if config.begin_suppress_tokens:
        forced = length <= 1 and config.forced_bos_token_id is not None
        made.append(SuppressTokensAtBeginLogitsProcessor(config.begin_suppress_tokens, length + forced))
    return made


def _cutting(config: GenerationConfig) -> Made:
    """What acts on a distribution to draw from. Beams need one token more than the end tokens."""
    least = max(2, len(config.end_tokens) + 1) if (config.num_beams or 1) > 1 else 1
    made: Made = []
    if _set(config.temperature, 1.0):
        made.append(TemperatureLogitsWarper(config.temperature or 0.0))
    if config.top_h is not None:
        made.append(TopHLogitsWarper(config.top_h))
    if config.top_k:
        made.append(TopKLogitsWarper(config.top_k, min_tokens_to_keep=least))
    if config.top_p is not None and config.top_p < 1:
        made.append(TopPLogitsWarper(config.top_p, min_tokens_to_keep=least))
    if config.min_p is not None:
        made.append(MinPLogitsWarper(config.min_p, min_tokens_to_keep=least))
    if config.typical_p is not None and config.typical_p < 1:
        made.append(TypicalLogitsWarper(config.typical_p, min_tokens_to_keep=least))
    if config.epsilon_cutoff:
        made.append(EpsilonLogitsWarper(config.epsilon_cutoff, min_tokens_to_keep=least))
    if config.eta_cutoff:
        made.append(EtaLogitsWarper(config.eta_cutoff, min_tokens_to_keep=least))
    return made


def _check_against(vocabulary: int, config: GenerationConfig) -> None:
    """Refuse ids that no text can hold, and a top_k that somebody set and that keeps every token.

    Suppressing an id that is not there does no harm, so published lists of them may stay.
    """
    if config.do_sample and "top_k" in config.model_fields_set and (config.top_k or 0) > vocabulary:
        raise GenerationError(
            f"top_k={config.top_k} is more than the {vocabulary} tokens of the vocabulary: to keep all, set top_k=0"
        )
    bias, forced = config.sequence_bias or {}, config.forced_eos_token_id
    biased: list[Sequence[int]] = list(bias) if isinstance(bias, dict) else [sequence for sequence, _ in bias]
    named: dict[str, Iterable[int]] = {
        "bad_words_ids": [token for words in config.bad_words_ids or () for token in words],
        "sequence_bias": [token for sequence in biased for token in sequence],
        "forced_bos_token_id": () if config.forced_bos_token_id is None else (config.forced_bos_token_id,),
        "forced_eos_token_id": () if forced is None else (forced,) if isinstance(forced, int) else forced,
    }
    for name, tokens in named.items():
        outside = sorted({token for token in tokens if token >= vocabulary})
        if outside:
            raise GenerationError(f"{name} names {outside}, and the vocabulary has {vocabulary} tokens")


def _set(value: float | None, neutral: float) -> bool:
    return value is not None and value != neutral


def _no_text(name: str) -> None:
    warnings.warn(f"{name} needs an input of token ids, and there is none: no effect", ModelryWarning, stacklevel=5)
