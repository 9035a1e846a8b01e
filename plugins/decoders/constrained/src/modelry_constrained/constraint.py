"""From a call's parameters to a checked grammar. No torch here."""

import json
import re
import warnings

from llguidance import LLMatcher, LLTokenizer
from llguidance.gbnf_to_lark import gbnf_to_lark

from modelry.errors import GenerationError, ModelryWarning
from modelry_constrained.parameters import CONSTRAINTS, ConstrainedParameters

_EBNF = re.compile(r"^\s*[\w-]+\s*::=", re.MULTILINE)


def compiled(parameters: ConstrainedParameters, vocabulary: LLTokenizer) -> LLMatcher:
    """A matcher that stands at the beginning; copy it for each row.

    Raises:
        GenerationError: the constraint is invalid, uses what cannot be enforced, or no text satisfies it.
    """
    name = next(one for one in CONSTRAINTS if getattr(parameters, one) is not None)
    grammar = _grammar(parameters)
    refused, notes = LLMatcher.validate_grammar_with_warnings(grammar, vocabulary)
    if refused:
        raise GenerationError(f"{name}={_shown(parameters, name)} cannot be used: {notes[0].strip()}")
    if notes:
        warnings.warn(f"{name}: {'; '.join(notes)}", ModelryWarning, stacklevel=6)
    matcher = LLMatcher(vocabulary, grammar, log_level=0)
    first = matcher.deep_copy()
    first.compute_bitmask()
    if first.is_error():
        reason = first.get_error().splitlines()[0]  # the parser's state follows
        if reason.startswith("NoExtension"):
            raise GenerationError(f"{name}={_shown(parameters, name)} is unsatisfiable: no text matches it")
        raise GenerationError(f"{name}={_shown(parameters, name)} cannot be used: {reason}")
    return matcher


def _grammar(parameters: ConstrainedParameters) -> str:
    if parameters.json_schema is not None:
        # White space is the model's choice otherwise, and small models never stop choosing it.
        schema = {} if parameters.json_schema is True else parameters.json_schema
        if schema is False:
            raise GenerationError("json_schema=False is unsatisfiable: no text matches it")
        text = json.dumps(schema)
        return LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_flexible": False})
    if parameters.regex is not None:
        return LLMatcher.grammar_from_regex(parameters.regex)
    if parameters.grammar is not None:
        if not _EBNF.search(parameters.grammar):
            return LLMatcher.grammar_from_lark(parameters.grammar)
        try:
            return LLMatcher.grammar_from_lark(gbnf_to_lark(parameters.grammar))
        except Exception as error:  # the converter raises plain exceptions of several kinds
            raise GenerationError(f"grammar={_shown(parameters, 'grammar')} cannot be read: {error}") from error
    words = dict.fromkeys(parameters.choices or ())
    return LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(one, ensure_ascii=False) for one in words))


def _shown(parameters: ConstrainedParameters, name: str) -> str:
    text = repr(getattr(parameters, name))
    return text if len(text) <= 200 else text[:200] + "…"
