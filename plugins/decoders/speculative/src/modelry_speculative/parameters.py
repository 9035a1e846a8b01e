"""What speculative decoding reads of a GenerationConfig. No torch here."""

from typing import Literal

from pydantic import Field

from modelry.generation.parameters import DecoderParameters

LONGEST_RUN = 64
"""Prompt lookup remembers every run of every length up to it; longer ones than a line of text help nobody."""


class SpeculativeParameters(DecoderParameters):
    """How to draft, and how many tokens at a time."""

    strategy_name = "speculative"

    do_sample: bool = Field(False, description="draw at random; else take the most likely token")
    num_return_sequences: int = Field(1, gt=0, description="texts for each prompt")
    num_assistant_tokens: int = Field(20, gt=0, description="tokens a model drafts at a time")
    num_assistant_tokens_schedule: Literal["constant", "heuristic", "heuristic_transient"] = Field(
        "constant", description="heuristic: two more after a draft that was accepted whole, one less after another"
    )
    assistant_confidence_threshold: float = Field(
        0.4, ge=0, le=1, description="a draft ends with a token that its model finds less probable; 0: never"
    )
    assistant_early_exit: int | None = Field(None, gt=0, description="draft with so many first layers of the model")
    prompt_lookup_num_tokens: int | None = Field(None, gt=0, description="draft so many tokens from the text so far")
    max_matching_ngram_size: int = Field(
        8, gt=0, le=LONGEST_RUN, description="last tokens that prompt lookup searches for, at most"
    )
    target_lookbehind: int = Field(
        10, gt=0, description="drafts of another tokenizer: tokens before the draft that are encoded again with it"
    )
    guidance_scale: float = Field(1.0, description="refused unless it changes nothing")
    use_mtp: bool = Field(False, description="refused")
    speculation_type: str | None = Field(None, description="refused")
    assistant_ensemble_weight: float | None = Field(None, description="refused")
