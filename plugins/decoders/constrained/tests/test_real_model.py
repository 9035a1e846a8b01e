"""200 answers of a 135M model to 20 schemas: all parse and validate. Oracle: jsonschema."""

import json
from pathlib import Path

import jsonschema
import pytest

from modelry import AutoModelForCausalLM, AutoTokenizer

FILE = Path(__file__).parents[4] / ".cache/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = {"type": "string", "minLength": 1, "maxLength": 5}
DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}
YES = {"type": "boolean"}
ANSWERS, NEW_TOKENS = 10, 48


def record(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS = [
    YES,
    DIGIT,
    NAME,
    {"type": "null"},
    {"enum": ["low", "middle", "high", 7, None]},
    {"type": "integer", "minimum": -5, "maximum": 120},
    {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25},
    {"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"},
    {"type": "string", "format": "date"},
    {"type": "array", "items": DIGIT, "minItems": 1, "maxItems": 4},
    {"type": "array", "prefixItems": [NAME, YES], "items": False, "minItems": 2},
    {"anyOf": [DIGIT, NAME, {"type": "null"}]},
    {"type": ["boolean", "null"]},
    record(name=NAME),
    record(name=NAME, age={"type": "integer", "minimum": 0, "maximum": 120}),
    record(city=NAME, capital=YES, rank=DIGIT),
    record(at=record(x=DIGIT, y=DIGIT)),
    record(tags={"type": "array", "items": NAME, "maxItems": 2}),
    record(kind={"enum": ["cat", "dog"]}, size={"const": "small"}),
    {"type": "array", "items": record(id=DIGIT), "minItems": 1, "maxItems": 2},
]


@pytest.mark.models
def test_all_answers_validate():
    if not FILE.exists():
        pytest.skip("make models fetches the model")
    tokenizer = AutoTokenizer.from_pretrained(FILE)
    model = AutoModelForCausalLM.from_pretrained(FILE, dtype="float32")
    batch = tokenizer(["Write JSON: "], return_tensors="pt")
    count = 0
    for number, schema in enumerate(SCHEMAS):
        found = model.generate(
            **batch, strategy="constrained", tokenizer=tokenizer, json_schema=schema, do_sample=True, seed=number,
            num_return_sequences=ANSWERS, max_new_tokens=NEW_TOKENS,
        )  # fmt: skip
        for row in found[:, batch["input_ids"].shape[1] :].tolist():
            jsonschema.validate(json.loads(tokenizer.decode(row, skip_special_tokens=True)), schema)
            count += 1
    assert count == ANSWERS * len(SCHEMAS) == 200
