"""model.generate(...): from arguments to a session, a strategy's loop, and the result."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from modelry.errors import GenerationError, RegistryError
from modelry.generation.answer_start import Start, beside_features, start_of
from modelry.generation.brought import check_drains, functions, negative_prompt, refuse_hidden, remembered
from modelry.generation.caching import chunk_of, new_cache
from modelry.generation.callers_loop import own_arguments, run_loop
from modelry.generation.compiling import CompiledStep, compile_options, refuse_short_windows
from modelry.generation.configuration import GenerationConfig
from modelry.generation.encoder_side import EncoderDecoderInput
from modelry.generation.endings import EndRules
from modelry.generation.failing import nothing_half_kept, release
from modelry.generation.fitting import refuse_what_cannot_fit
from modelry.generation.generated_output import GenerateOutput
from modelry.generation.idle import warn_of_idle
from modelry.generation.input_side import DecoderInput, InputSide
from modelry.generation.keeping_step import kept_in_step, shares_parameters
from modelry.generation.keywords import refuse_unknown, sort_keywords
from modelry.generation.length import greatest_length, refuse_unreachable
from modelry.generation.parameters import DecoderParameters
from modelry.generation.precedence import combined, understood
from modelry.generation.processors import LogitsProcessor, build_processors
from modelry.generation.prompt import Prompt, read_prompt, refuse_strange_ends, vocabulary_of
from modelry.generation.session import Session, Settings
from modelry.generation.stop_strings import StopStrings
from modelry.generation.stopping import Criterion, StoppingCriteriaList
from modelry.generation.strategy import choose_strategy, companions, refuse_rivals
from modelry.generation.streamers import BaseStreamer
from modelry.nn.fuse import fuse_projections
from modelry_registry import Candidate, Decoder, get_registry, resolve


def generate(
    model: Any,
    inputs: Any = None,
    generation_config: GenerationConfig | None = None,
    *,
    input_ids: Any = None,
    attention_mask: Any = None,
    logits_processor: Iterable[LogitsProcessor] | LogitsProcessor | None = None,
    stopping_criteria: Iterable[Criterion] | Criterion | None = None,
    prefix_allowed_tokens_fn: Callable[[int, Tensor], Sequence[int]] | None = None,
    streamer: BaseStreamer | None = None,
    tokenizer: Any = None,
    negative_prompt_ids: Any = None,
    negative_prompt_attention_mask: Any = None,
    assistant_model: Any = None,
    assistant_tokenizer: Any = None,
    past_key_values: Any = None,
    decoder_input_ids: Any = None,
    decoder_attention_mask: Any = None,
    generator: torch.Generator | None = None,
    synced_gpus: bool | None = None,
    custom_generate: Any = None,
    **fields: Any,
) -> Any:
    """Continue prompts.

    Args:
        model: a causal language model, or an encoder-decoder one.
        inputs: (B, P) ids, or a whole tokenizer output with `input_ids` and `attention_mask`.
        generation_config: instead of single fields; what it sets counts before the model's own generation_config.
        input_ids: the same as inputs by its other name.
        attention_mask: (B, P), 0 at padding, which is on the left.
        logits_processor: one or more, after those of the configuration and before those that cut for sampling.
        stopping_criteria: more criteria; plain functions (ids, scores) -> (R,) bool are welcome.
        prefix_allowed_tokens_fn: (index of the prompt, ids so far) -> allowed ids.
        streamer: gets the prompt and each token as it comes.
        tokenizer: for stop_strings, and strategies that read text.
        negative_prompt_ids: (B, P') for guidance_scale.
        assistant_model, assistant_tokenizer: for strategies that draft.
        past_key_values: of an earlier result; the prompt then repeats the whole conversation.
        decoder_input_ids, decoder_attention_mask: (B, P) start of the answer of an encoder-decoder model, and 0 at its
            padding, which is on the left.
        generator: for every random draw; `seed=` makes one.
        custom_generate: a loop of your own (model, input_ids, logits_processor, stopping_criteria, ...), whose result
            is returned; or the published name of a strategy.
        synced_gpus: go on with empty passes until every process is through; None: where FSDP has spread the parameters.
        fields: those of GenerationConfig, other inputs of the model, parameters of the strategy.

    Returns:
        (R, P + N) ids, R = B · num_return_sequences; or a GenerateOutput with return_dict_in_generate.

    Raises:
        GenerationError: anything about the arguments that cannot be, before the model runs; NaN logits, when they come.
        RegistryError: the strategy is not installed.
        OutOfMemory: in the middle; the model and a cache given are as before.
    """
    try:
        if isinstance(inputs, Mapping):
            fields, inputs = {**inputs, **fields}, None
        loop = custom_generate if callable(custom_generate) else None
        own, fields = own_arguments(loop, fields)
        if loop is None:
            fields["custom_generate"] = custom_generate
        given, generation_config = sort_keywords(fields, model), understood(generation_config)
        named, decoder_input_ids = beside_features(
            model, _one_of(input_ids, given.others.pop("input_ids", None)), decoder_input_ids
        )
        ids = _one_of(inputs, named)
        mask = _one_of(attention_mask, given.others.pop("attention_mask", None))
        beside = {
            "tokenizer": tokenizer,
            "assistant_model": assistant_model,
            "assistant_tokenizer": assistant_tokenizer,
        }
        config = combined(given.config, generation_config, model.generation_config, model.config, beside)
        said = {**(generation_config.set_fields() if generation_config else {}), **given.config}
        spec, because, participants = _find_strategy(config, beside, model)
        parameters_class: Any = resolve(spec.parameters)
        assert issubclass(parameters_class, DecoderParameters), spec.parameters
        refuse_unknown(given.others, spec.name, parameters_class.model_fields, model)
        refuse_rivals(
            spec.name,
            because,
            {**vars(config), **beside},
            named={*said, *beside},
            reads=parameters_class.model_fields,
        )
        warn_of_idle(
            config,
            said,
            strategy=spec.name,
            reads=parameters_class.model_fields,
            beside={**beside, "negative_prompt_ids": negative_prompt_ids},
        )
        parameters = parameters_class.from_config(config.updated(**given.others) if given.others else config)
        check_drains(streamer, generator)
        if streamer is not None and not spec.streams:
            raise GenerationError(f"the strategy {spec.name!r} knows its text only at the end: it cannot stream")
        prompt = read_prompt(
            model, ids, mask, config, remembered=remembered(past_key_values, model), extras=given.inputs
        )
        refuse_strange_ends(config, said, vocabulary_of(model))
        refuse_hidden(model, prompt.mask)
        begin = start_of(model, prompt, config, decoder_input_ids, decoder_attention_mask)
        start = begin.ids
        limit = greatest_length(config, model, prompt, start)
        decoder_only = not model.config.is_encoder_decoder
        unwritten = prompt.width - start.shape[1] if decoder_only else 0
        refuse_unreachable(config, said, prompt=start.shape[1] + unwritten, room=limit - start.shape[1])
        criteria = functions("stopping_criteria", stopping_criteria)
        functions("prefix_allowed_tokens_fn", prefix_allowed_tokens_fn)
        negative = negative_prompt(negative_prompt_ids, negative_prompt_attention_mask, model, rows=prompt.rows)
        processors = build_processors(
            config,
            model=model,
            prompt_ids=start,
            prompt_mask=begin.mask,
            max_length=limit,
            unwritten=unwritten,
            input_ids=prompt.ids if prompt.ids.shape[1] else None,
            prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
            negative_prompt_ids=negative[0],
            negative_prompt_mask=negative[1],
            given=functions("logits_processor", logits_processor),
            hooked=_hooked(config, participants),
        )
        if loop is not None:
            return run_loop(
                loop,
                model,
                prompt,
                config,
                cache=past_key_values,
                limit=limit,
                processors=processors,
                criteria=criteria,
                arguments=own if streamer is None else {**own, "streamer": streamer},
                tokenizer=tokenizer,
            )
        refuse_what_cannot_fit(
            start.device, prompts=prompt.rows, copies=1, length=limit, vocabulary=vocabulary_of(model)
        )
        settings = Settings(
            ends=EndRules(
                max_length=limit,
                end_tokens=config.end_tokens,
                stop_strings=StopStrings(config.stop_strings, tokenizer) if config.stop_strings else None,
                criteria=StoppingCriteriaList(criteria),
                deadline=math.inf if config.max_time is None else time.monotonic() + config.max_time,
            ),
            pad_token=_pad_token(config, vocabulary_of(model)),
            processors=processors,
            streamer=streamer,
            generator=_generator(config, generator, model),
            wanted=_wanted(config),
            as_record=bool(config.return_dict_in_generate),
            beside=beside,
        )
        if isinstance(model, torch.nn.Module) and not model.training:
            fuse_projections(model)
        # No name here holds the session: when memory runs out, all that it holds is let go with the frames below.
        return _continued(
            spec,
            parameters,
            Session(model, _input_side(model, prompt, begin, config, past_key_values, limit), start, settings),
            past_key_values,
            synced_gpus,
        )
    except BaseException as error:
        release(error)
        if isinstance(streamer, BaseStreamer):
            streamer.fail(error)
        raise


def _continued(
    spec: Decoder, parameters: DecoderParameters, session: Session, brought: Any, synced: bool | None
) -> Tensor | GenerateOutput:
    """Let the strategy drive the session; what fails in the middle leaves no trace in a cache brought by the caller."""
    decode: Any = resolve(spec.decode)
    in_step = kept_in_step(session.model, synced)
    with _no_gradients(session), in_step, nothing_half_kept(session, brought):
        decode(session, parameters)
    if session.settings.streamer is not None:
        session.settings.streamer.end()
    return session.result()


def _find_strategy(
    config: GenerationConfig, beside: Mapping[str, Any], model: Any
) -> tuple[Decoder, str, list[Candidate]]:
    """The strategy's spec, why it, and whose hooks take part: its own, its companions', the model family's."""
    registry = get_registry()
    name, because = choose_strategy(config, beside)
    others = companions(config)
    needed = [("decoders", name), *(("decoders", row.strategy) for row in others)]
    registry.require(needed, asked_by=f"generate() with {', '.join([because, *(row.field for row in others)])}")
    participants = [registry.provider(*one) for one in needed]
    with contextlib.suppress(RegistryError):  # a model made in this process has no plugin
        participants.append(registry.provider("models", model.config.model_type))
    return registry.get("decoders", name), because, participants


def _hooked(config: GenerationConfig, participants: list[Candidate]) -> list[LogitsProcessor]:
    found = get_registry().hooks(participants).modelry_logits_processors(config=config)
    return [processor for some in found for processor in some]


def _input_side(
    model: Any, prompt: Prompt, start: Start, config: GenerationConfig, cache: Any, limit: int
) -> InputSide:
    """What feeds the model."""
    lent, options = cache is not None, compile_options(config, model)
    unwritten = 0 if model.config.is_encoder_decoder else prompt.width - start.ids.shape[1]
    if options is not None:
        refuse_short_windows(model, positions=unwritten + limit)
    if cache is None and config.use_cache is not False:
        cache = new_cache(model, config, positions=unwritten + limit, compiled=options is not None)
    if model.config.is_encoder_decoder:
        return EncoderDecoderInput(model, prompt, start.ids, cache, start_mask=start.mask)
    held = getattr(cache, "rows", None)
    if held is not None and held != prompt.rows:
        raise GenerationError(f"past_key_values holds {held} rows, and there are {prompt.rows} prompts")
    compiled = None if options is None else CompiledStep(model, cache, options)
    return DecoderInput(model, prompt, cache, chunk=chunk_of(model, prompt, config), lent=lent, compiled=compiled)


def _generator(config: GenerationConfig, generator: torch.Generator | None, model: Any) -> torch.Generator | None:
    if config.seed is None:
        return generator
    if generator is not None:
        raise GenerationError(f"seed={config.seed} and generator= are both given: one of them decides the draws")
    return torch.Generator(device=model.device).manual_seed(config.seed)


def _wanted(config: GenerationConfig) -> frozenset[str]:
    if not config.return_dict_in_generate:
        return frozenset()
    names = ("scores", "logits", "attentions", "hidden_states")
    return frozenset(name for name in names if getattr(config, f"output_{name}"))


def _no_gradients(session: Session) -> contextlib.AbstractContextManager[Any]:
    """Inference mode; but what leaves in a record must be ordinary tensors, which training can use, and so must the
    parameters that FSDP gathers."""
    lasting = session.settings.as_record or shares_parameters(session.model)
    return torch.no_grad() if lasting else torch.inference_mode()


def _pad_token(config: GenerationConfig, vocabulary: int | None) -> int:
    """What stands behind texts that have ended. Some files name a token that was added later, and that nobody reads."""
    pad = config.pad_token_id
    if pad is not None and (vocabulary is None or pad < vocabulary):
        return pad
    return config.end_tokens[0] if config.end_tokens else 0


def _one_of(*given: Any) -> Any:
    """The one value that is given, if any.

    Raises:
        GenerationError: several are.
    """
    found = [one for one in given if one is not None]
    if len(found) > 1:
        raise GenerationError("the prompt (or its mask) is given twice: once as inputs, once by its own name")
    return found[0] if found else None
