"""Answers of a random model match what they must match; oracles: jsonschema, re, and an enumeration of the grammar."""

import json
import re
import warnings

import jsonschema
import pytest
import torch
from pydantic import BaseModel, ConfigDict, Field

from modelry import pipeline
from modelry.errors import GenerationError, ModelryWarning
from modelry_testing.toys.tokenizer_files import END, vocabulary

WORD = {"type": "string", "maxLength": 6}
SCHEMAS = [
    {"type": "integer", "minimum": -20, "maximum": 300},
    {"type": "boolean"},
    {"type": "null"},
    {"enum": ["red", "green", 3, None]},
    {"const": {"a": [1, 2]}},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{2}$"},
    {"type": "string", "format": "date"},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
    {"type": "array", "prefixItems": [{"const": 1}, WORD], "items": False, "minItems": 2},
    {
        "type": "object", "properties": {"name": WORD, "old": {"type": "boolean"}}, "required": ["name"],
        "additionalProperties": False,
    },
    {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}]},
    {
        "$defs": {"point": {
            "type": "object", "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["x"],
            "additionalProperties": False}},
        "type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 2, "maxItems": 2,
    },
    {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25},
]  # fmt: skip
REGEXES = [r"[0-9]{3}-[0-9]{4}", r"(cat|dog)s?", r"[a-z]{1,8}@[a-z]{1,5}\.(org|net)", r"[^a-z]{2}é{1,3}!", r"a{0,3}b"]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda one: str(one)[:40])
def test_json_schema(whole, schema):
    found = whole(count=8, json_schema=schema)
    assert len(found) >= 4
    for text in found:
        jsonschema.validate(json.loads(text), schema)


@pytest.mark.parametrize("regex", REGEXES)
def test_regex(whole, regex):
    found = whole(count=8, regex=regex)
    assert len(found) >= 4
    assert all(re.fullmatch(regex, text) for text in found)


@pytest.mark.parametrize(
    "grammar",
    [
        'start: "(" start ")" | "x"',
        'root ::= "(" root ")" | "x"',
        '?start: nest\nnest: OPEN nest CLOSE | "x"\nOPEN: "("\nCLOSE: ")"',
    ],
    ids=["lark", "ebnf", "terminals"],
)
def test_grammar(whole, grammar):
    """Balanced parentheses: no regular expression can say it."""
    found = whole(count=12, grammar=grammar)
    assert any(len(text) > 1 for text in found)
    assert all(text == "(" * (len(text) // 2) + "x" + ")" * (len(text) // 2) for text in found)


def test_finished_rows_leave(answers, model):
    """And change no other text."""
    options = {"prompts": ["a", "bb", "ccc", "d"], "regex": r"[a-z]{1,20}|yes!|(ab){12}", "do_sample": True, "seed": 3}
    widths = []
    hook = model.get_output_embeddings().register_forward_hook(lambda _, __, out: widths.append(out.shape[0]))
    try:
        found = answers(**options)
        least, widths = min(widths[1:]), []
        alone = answers(**options, stopping_criteria=[lambda ids, scores: False])  # which counts on all rows
    finally:
        hook.remove()
    assert found == alone
    assert len(set(map(len, found[0]))) > 2
    assert least < 4 == min(widths[1:])  # the first pass may have all prompts in one row


def test_choices(answers):
    choices = ["yes", "no", 'say "so"', "two\nlines", "é/%", "yes and no", "start: x", "\\d"]
    texts, ended = answers(count=40, choices=choices)
    assert all(ended)
    assert set(texts) <= set(choices)
    assert len(set(texts)) > 3


class Person(BaseModel):
    name: str = Field(max_length=5)
    age: int = Field(ge=0, le=150)
    model_config = ConfigDict(extra="forbid")


@pytest.mark.parametrize("form", [Person, Person.model_json_schema(), json.dumps(Person.model_json_schema())])
def test_three_forms_of_a_schema(whole, form):
    found = whole(count=6, json_schema=form)
    assert found
    for text in found:
        Person.model_validate_json(text)


def test_rows_of_a_batch_are_what_each_is_alone(answers):
    prompts = ["a", "a longer prompt", "the end of it:"]
    together, _ = answers(prompts, regex="[a-z]{4}[0-9]{2}")
    assert together == [answers([one], regex="[a-z]{4}[0-9]{2}")[0][0] for one in prompts]


def test_greedy_takes_the_likeliest_token_allowed(model, tokenizer):
    ids = torch.tensor([tokenizer.encode("abc")])
    found = model.generate(ids, strategy="constrained", tokenizer=tokenizer, regex="[0-9]{4}", max_new_tokens=9)
    digits = torch.tensor([tokenizer.encode(str(one))[0] for one in range(10)])
    text = ids
    for _ in range(4):
        logits = model(text).logits[:, -1, digits]
        text = torch.cat((text, digits[logits.argmax(-1)][:, None]), dim=1)
    assert found[:, :-1].tolist() == text.tolist()


def test_what_is_forced_costs_no_pass(model, tokenizer):
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    found = model.generate(
        torch.tensor([[1, 2]]), strategy="constrained", tokenizer=tokenizer, max_new_tokens=60,
        json_schema={"const": "a long constant"},
        return_dict_in_generate=True,
    )  # fmt: skip
    handle.remove()
    assert tokenizer.decode(found.sequences[0, 2:].tolist(), skip_special_tokens=True) == '"a long constant"'
    assert len(calls) < found.sequences.shape[1] - 2
    assert found.statistics == {"answers": 1, "complete": 1, "forced_steps": found.sequences.shape[1] - 2 - len(calls)}


def test_forced_tokens_leave_the_model_where_it_would_be(model, tokenizer):
    """Scores asked for: every step runs the model, and nothing else changes."""
    schema = {
        "type": "object", "properties": {"first": WORD, "second": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["first", "second"], "additionalProperties": False,
    }  # fmt: skip
    options = {"strategy": "constrained", "tokenizer": tokenizer, "json_schema": schema, "max_new_tokens": 80}
    ids = torch.tensor([[1, 2, 3], [7, 8, 9]])
    asked = model.generate(ids, **options, output_scores=True, return_dict_in_generate=True)
    assert asked.statistics["forced_steps"] == 0
    assert model.generate(ids, **options).tolist() == asked.sequences.tolist()


def test_an_answer_cut_short_is_said(model, tokenizer):
    with pytest.warns(ModelryWarning, match="2 of 2 answers end before they match the constraint.*max_new_tokens"):
        found = model.generate(
            torch.tensor([[1], [2]]), strategy="constrained", tokenizer=tokenizer, regex="[a-z]{30}", max_new_tokens=5,
            return_dict_in_generate=True,
        )  # fmt: skip
    assert found.statistics["complete"] == 0
    assert found.sequences.shape == (2, 6)


def test_no_end_token_is_needed_where_the_grammar_ends(model, tokenizer):
    found = model.generate(
        torch.tensor([[1], [9]]), strategy="constrained", tokenizer=tokenizer, regex="[a-z]{3}", eos_token_id=None,
        max_new_tokens=50,
    )  # fmt: skip
    assert found.shape == (2, 4)
    assert re.fullmatch("[a-z]{3}", tokenizer.decode(found[1, 1:].tolist()))


def test_top_k_cuts_among_what_is_allowed(answers):
    texts, _ = answers(count=20, choices=["zebra", "\u00ff\u00fe"], top_k=1)
    assert len(set(texts)) == 1


def test_the_model_works_after_a_refusal(model, tokenizer, answers):
    with pytest.raises(GenerationError):
        answers(regex="(")
    assert answers(choices=["ok"])[0] == ["ok"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of json_schema, regex, grammar, choices; found none"),
        ({"regex": "a", "choices": ["a"]}, "found regex, choices"),
        ({"choices": []}, "choices"),
        ({"choices": "yes"}, "choices"),
        ({"json_schema": "{"}, "not JSON"),
        ({"json_schema": 3}, "json_schema"),
        ({"json_schema": {"type": "objct"}}, "objct"),
        ({"json_schema": {"type": "integer", "minimum": 5, "maximum": 3}}, "json_schema.*Unsatisfiable"),
        ({"json_schema": False}, "unsatisfiable"),
        ({"json_schema": {"type": "string", "not": {"const": "a"}}}, "not"),
        ({"json_schema": {"$ref": "#/nowhere"}}, "nowhere"),
        ({"regex": "("}, "regex='\\('.*unclosed group"),
        ({"regex": r"(?=a)b"}, "look-around"),
        ({"regex": r"a[^\s\S]"}, "unsatisfiable: no text matches"),
        ({"grammar": "start: nowhere"}, "nowhere"),
        ({"grammar": 'start: start "a"'}, "unsatisfiable"),
        ({"grammar": 'root ::= "a'}, "grammar"),
        ({"regex": "a", "num_beams": 3}, "num_beams=3"),
        ({"regex": "a", "num_return_sequences": 2}, "do_sample=True"),
        ({"regex": "a", "tokenizer": None}, r"tokenizer=tokenizer"),
        ({"regex": "a", "tokenizer": "a name"}, "str is none"),
        ({"regexp": "a"}, "did you mean regex"),
    ],
)
def test_refused_before_the_model_runs(model, tokenizer, options, message):
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(GenerationError, match=f"(?s){message}"):
            model.generate(torch.tensor([[1]]), **{"strategy": "constrained", "tokenizer": tokenizer, **options})
    finally:
        handle.remove()
    assert not calls


def test_processors_that_contradict_the_constraint(model, tokenizer):
    with pytest.raises(GenerationError, match="ruled out"):
        model.generate(
            torch.tensor([[1]]), strategy="constrained", tokenizer=tokenizer, regex="[ab]",
            suppress_tokens=tokenizer.encode("ab"), max_new_tokens=4,
        )  # fmt: skip


def test_the_pipeline_brings_the_tokenizer_and_streams(model, tokenizer):
    pipe = pipeline("text-generation", model=model, tokenizer=tokenizer)
    options = {"strategy": "constrained", "choices": ["perhaps", "never"], "max_new_tokens": 20}
    (answer,) = pipe("so:", return_full_text=False, **options)
    assert answer["generated_text"] in options["choices"]
    assert "".join(pipe.stream("so:", **options)) == answer["generated_text"]


@pytest.mark.parametrize(
    "options",
    [
        {"guidance_scale": 2.5},
        {"guidance_scale": 2.5, "negative_prompt_ids": torch.tensor([[7, 8], [9, 10]])},
        {"do_sample": True, "seed": 3},
        {"max_new_tokens": 6, "forced_eos_token_id": vocabulary()[END]},
    ],
    ids=["guidance", "negative prompt", "drawn", "an end that comes too early"],
)
def test_what_is_forced_is_as_if_it_were_asked_for(model, tokenizer, options):
    """Scores asked for: every step runs the model."""
    ids = torch.tensor([[1, 2, 3], [7, 8, 9]])
    common = {"strategy": "constrained", "tokenizer": tokenizer, "regex": "[a-z]{3}(good|bad)day[a-z]{6}", **options}
    common = {"max_new_tokens": 40, **common}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*answers end before.*")
        asked = model.generate(ids, **common, output_scores=True, return_dict_in_generate=True).sequences
        assert model.generate(ids, **common).tolist() == asked.tolist()


@pytest.mark.parametrize("record", [{}, {"output_scores": True, "return_dict_in_generate": True}])
def test_a_whole_answer_ends_however_short(model, tokenizer, record):
    with pytest.warns(ModelryWarning, match=r"[12] of 2 answers are shorter than the 9 tokens"):
        found = model.generate(
            torch.tensor([[1, 2, 3], [7, 8, 9]]), strategy="constrained", tokenizer=tokenizer, choices=["yes", "no"],
            min_new_tokens=9, **record
        )  # fmt: skip
    texts = tokenizer.batch_decode(getattr(found, "sequences", found)[:, 3:].tolist(), skip_special_tokens=True)
    assert set(texts) <= {"yes", "no"}


def test_a_forced_token_that_another_processor_rules_out(model, tokenizer):
    options = {"strategy": "constrained", "tokenizer": tokenizer, "regex": "[a-f]{3}good", "max_new_tokens": 20}
    with pytest.raises(GenerationError, match="ruled out"):
        model.generate(torch.tensor([[1]]), suppress_tokens=tokenizer.encode("g"), **options)
