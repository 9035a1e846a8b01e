"""Which drafter a call asks for, and what is refused before any work."""

from typing import Any

from modelry.errors import GenerationError
from modelry.generation.prompt import vocabulary_of
from modelry.generation.session import Session
from modelry_speculative.draft_model import DraftModel
from modelry_speculative.drafts import Drafter
from modelry_speculative.early_exit import first_layers
from modelry_speculative.other_tokenizer import OtherTokenizer
from modelry_speculative.parameters import SpeculativeParameters
from modelry_speculative.prompt_lookup import PromptLookup


def make_drafter(session: Session, parameters: SpeculativeParameters) -> Drafter:
    """The source of drafts that the call names.

    Raises:
        GenerationError: it names none or several, or one that cannot draft for this model.
    """
    _refuse_what_cannot_be(session, parameters)
    assistant = session.settings.beside.get("assistant_model")
    ways = {
        "assistant_model": assistant,
        "prompt_lookup_num_tokens": parameters.prompt_lookup_num_tokens,
        "assistant_early_exit": parameters.assistant_early_exit,
    }
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise GenerationError(
            f"speculative decoding drafts in one way, and this call names {' and '.join(given) or 'none'}: "
            f"choose one of {', '.join(ways)}"
        )
    if parameters.prompt_lookup_num_tokens is not None:
        return PromptLookup(session, ngram=parameters.max_matching_ngram_size)
    _refuse_draft_models(session, given[0])
    if assistant is not None and not (hasattr(assistant, "can_generate") and assistant.can_generate()):
        raise GenerationError(
            f"assistant_model is a {type(assistant).__name__}, which does not score next tokens: give a model, as "
            "AutoModelForCausalLM.from_pretrained(...) makes it"
        )
    if assistant is not None and not hasattr(assistant, "make_cache"):
        raise GenerationError(
            f"assistant_model is a {type(assistant).__name__} of {type(assistant).__module__}, another package, which "
            "cannot draft here: load the same checkpoint with modelry's AutoModelForCausalLM.from_pretrained(...)"
        )
    if parameters.assistant_early_exit is not None:
        assistant = first_layers(session.model, parameters.assistant_early_exit)
    elif session.model.config.is_encoder_decoder:
        _refuse_other_tokenizers(session, assistant)
    elif _by_text(session, assistant):
        beside = session.settings.beside
        return OtherTokenizer(
            session,
            assistant,
            tokenizer=beside["tokenizer"],
            assistant_tokenizer=beside["assistant_tokenizer"],
            lookbehind=parameters.target_lookbehind,
        )
    drafter = DraftModel(
        session, assistant, sampled=parameters.do_sample, threshold=parameters.assistant_confidence_threshold
    )
    if not drafter.can_rollback:
        raise GenerationError(f"{type(assistant).__name__} cannot forget a rejected draft: take another draft model")
    return drafter


def _by_text(session: Session, assistant: Any) -> bool:
    """Whether the draft model has another tokenizer.

    Raises:
        GenerationError: it has, and the tokenizers are not given.
    """
    beside = session.settings.beside
    own, other = beside.get("tokenizer"), beside.get("assistant_tokenizer")
    here, there = vocabulary_of(session.model), vocabulary_of(assistant)
    if other is None and here != there:
        raise GenerationError(
            f"assistant_model has a vocabulary of {there} tokens, and the model one of {here}: with another tokenizer "
            "it drafts by way of the text, so give both: tokenizer=..., assistant_tokenizer=..."
        )
    if other is None:
        return False
    if own is None:
        raise GenerationError("assistant_tokenizer needs the model's own beside it: generate(..., tokenizer=tokenizer)")
    return here != there or own.get_vocab() != other.get_vocab()


def _refuse_other_tokenizers(session: Session, assistant: Any) -> None:
    """Beside an encoder, whose input would have to be written in both."""
    beside = session.settings.beside
    own, other = beside.get("tokenizer"), beside.get("assistant_tokenizer")
    here, there = vocabulary_of(session.model), vocabulary_of(assistant)
    if here != there or (own is not None and other is not None and own.get_vocab() != other.get_vocab()):
        raise GenerationError(
            f"assistant_model has a vocabulary of {there} tokens, and the model one of {here}"
            f"{'' if here != there else ', which are others'}: for {type(session.model).__name__}, which has an "
            "encoder, only models of the same tokenizer draft"
        )


def _refuse_what_cannot_be(session: Session, parameters: SpeculativeParameters) -> None:
    if not session.can_rollback:
        raise GenerationError(
            f"{type(session.model).__name__} with this cache cannot forget a rejected draft: "
            "leave assistant_model and prompt_lookup_num_tokens out"
        )
    if session.settings.streamer is not None and session.rows * parameters.num_return_sequences > 1:
        raise GenerationError(
            "rows that advance by different numbers of tokens cannot be streamed together: stream one prompt"
        )
    by_pass = sorted(session.settings.wanted - {"scores", "logits"})
    if by_pass:
        named = ", ".join(f"output_{name}" for name in by_pass)
        raise GenerationError(
            f"{named}: a pass of speculative decoding covers several tokens, accepted and rejected ones, so there is "
            "no such value for each token: generate without drafts, or run the model over the finished text"
        )
    if parameters.guidance_scale != 1:
        raise GenerationError(
            f"guidance_scale={parameters.guidance_scale} runs the model in step with the text, and drafts run ahead "
            "of it: leave one of the two out"
        )
    remembering = [type(one).__name__ for one in session.settings.processors if getattr(one, "remembers", False)]
    if remembering:
        raise GenerationError(
            f"{', '.join(remembering)} remembers what it was shown, and would be shown drafts that are never said: "
            "leave the drafts out, or use a watermark that depends on the text alone"
        )
    if parameters.use_mtp:
        raise GenerationError("use_mtp: drafts by a model's own prediction layers are not offered; see assistant_model")
    if parameters.speculation_type is not None:
        raise GenerationError(
            f"speculation_type={parameters.speculation_type!r} is not offered: a draft model drafts token by token; "
            "leave speculation_type out"
        )
    if parameters.assistant_ensemble_weight is not None:
        raise GenerationError(
            f"assistant_ensemble_weight={parameters.assistant_ensemble_weight} accepts drafts that the model itself "
            "would not say, and drafts here never change the text: leave it out"
        )


def _refuse_draft_models(session: Session, named: str) -> None:
    if session.model.config.is_encoder_decoder and named == "assistant_early_exit":
        raise GenerationError(
            f"{named}: {type(session.model).__name__} is an encoder-decoder model, and its first layers are not left "
            "early: use assistant_model or prompt_lookup_num_tokens"
        )
    if not session.prompt_length:
        raise GenerationError(
            f"{named}: the prompt is embeddings, which a draft model cannot read: use prompt_lookup_num_tokens"
        )
