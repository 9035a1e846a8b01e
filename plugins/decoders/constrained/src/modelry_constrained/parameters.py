"""What a call may ask for: one constraint, and how tokens are chosen. No torch here."""

import json
from typing import Any, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from modelry.generation import DecoderParameters

CONSTRAINTS = ("json_schema", "regex", "grammar", "choices")


class ConstrainedParameters(DecoderParameters):
    """Exactly one of json_schema, regex, grammar and choices; the tokenizer is an argument of generate()."""

    strategy_name = "constrained"

    json_schema: dict[str, Any] | bool | None = Field(
        None, description="a dictionary, JSON text or a pydantic model class"
    )
    regex: str | None = Field(None, description="matches the whole answer; syntax of Rust's regex, no look-around")
    grammar: str | None = Field(None, description="Lark, its first rule is start; or EBNF with ::=, from root")
    choices: list[str] | None = Field(None, min_length=1, description="the answer is one of these texts")

    do_sample: bool = Field(False, description="draw at random; else take the most likely token")
    num_return_sequences: int = Field(1, gt=0, description="answers for each prompt")
    min_new_tokens: int | None = Field(None, description="shorter answers than this are warned of")
    min_length: int | None = Field(None, description="the same, prompt included")
    num_beams: int = Field(1, description="1: beams are another strategy")

    @field_validator("json_schema", mode="before")
    @classmethod
    def _as_dictionary(cls, value: Any) -> Any:
        if isinstance(value, type) and issubclass(value, BaseModel):
            return value.model_json_schema()
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as error:
                raise ValueError(f"the text is not JSON: {error}") from error
        if not isinstance(value, dict | bool):
            raise ValueError("a JSON schema is a dictionary, the JSON text of one, or a pydantic model class")
        return value

    @model_validator(mode="after")
    def _one_constraint(self) -> Self:
        given = [name for name in CONSTRAINTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(CONSTRAINTS)}; found {', '.join(given) or 'none'}")
        if self.num_beams > 1:
            raise ValueError(f"num_beams={self.num_beams}: constrained answers are greedy or sampled, without beams")
        if self.num_return_sequences > 1 and not self.do_sample:
            raise ValueError(
                f"num_return_sequences={self.num_return_sequences} without do_sample=True gives one answer "
                f"{self.num_return_sequences} times"
            )
        return self
