"""The questions that are measured, by the name that --only takes, in the order of the page."""

from benchmarks.part import Part
from benchmarks.parts import (
    batches,
    compiled,
    engines,
    first_token,
    forward,
    generate,
    gguf,
    growth,
    imports,
    lookup,
    memory,
    photographs,
    second_question,
    sentences,
    speech,
    training,
)

PARTS: dict[str, Part] = {
    "engines": engines.PART,
    "batches": batches.PART,
    "first_token": first_token.PART,
    "lookup": lookup.PART,
    "growth": growth.PART,
    "second_question": second_question.PART,
    "speech": speech.PART,
    "forward": forward.PART,
    "photographs": photographs.PART,
    "sentences": sentences.PART,
    "generate": generate.PART,
    "memory": memory.PART,
    "training": training.PART,
    "gguf": gguf.PART,
    "imports": imports.PART,
    "compiled": compiled.PART,
}
