"""Chats: labels where the assistant speaks, however the template tells."""

from typing import Any

import pytest
import torch

from modelry.errors import ParameterError
from modelry_trainer.collators import DataCollatorForCompletionOnly

CHATS = (
    [
        {"role": "user", "content": "the inn?"},
        {"role": "assistant", "content": "by the sea"},
        {"role": "user", "content": "rain?"},
        {"role": "assistant", "content": "in  "},
    ],
    [
        {"role": "system", "content": "tin"},
        {"role": "user", "content": "roof"},
        {"role": "assistant", "content": "the"},
    ],
)
HEAD = "{% for m in messages %}<{{ m.role }}>{{ '\\n' }}"
TAIL = "{% endfor %}{% if add_generation_prompt %}<assistant>{{ '\\n' }}{% endif %}"
PLAIN = HEAD + "{{ m.content }}<|end|>\n" + TAIL
MARKED = (
    HEAD + "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|end|>{% endif %}{{ '\\n' }}" + TAIL
)
FORGETFUL = (
    "{% for m in messages %}{% if loop.last or m.role == 'user' %}<{{ m.role }}> {{ m.content }}{% endif %}" + TAIL
)


@pytest.fixture
def tokenizer(letters: Any) -> Any:
    letters[0].chat_template = PLAIN
    yield letters[0]
    letters[0].chat_template = None
    letters[0].padding_side = "right"


def learnt(tokenizer: Any, batch: Any, row: int) -> str:
    return tokenizer.decode([one for one in batch["labels"][row].tolist() if one != -100])


@pytest.mark.parametrize("side", ["right", "left"])
def test_only_what_the_assistant_says(tokenizer: Any, side: str) -> None:
    tokenizer.padding_side = side
    batch = DataCollatorForCompletionOnly(tokenizer)([{"messages": chat} for chat in CHATS])
    assert learnt(tokenizer, batch, 0) == "by the sea<|end|>in  <|end|>"
    assert learnt(tokenizer, batch, 1) == "the<|end|>"
    kept = batch["labels"] != -100
    assert torch.equal(batch["labels"][kept], batch["input_ids"][kept])
    assert not kept[batch["attention_mask"] == 0].any()
    whole = [tokenizer.apply_chat_template(chat)["input_ids"] for chat in CHATS]
    for number, ids in enumerate(whole):
        assert batch["input_ids"][number][batch["attention_mask"][number] == 1].tolist() == ids


def test_a_template_that_marks_the_turns_says_the_same(tokenizer: Any, letters: Any) -> None:
    rows = [{"messages": chat} for chat in CHATS]
    found = DataCollatorForCompletionOnly(tokenizer)(rows)
    tokenizer.chat_template = letters[1].chat_template = MARKED
    marked = DataCollatorForCompletionOnly(tokenizer)(rows)
    assert all(torch.equal(found[name], value) for name, value in marked.items())
    for number, chat in enumerate(CHATS):
        theirs = letters[1].apply_chat_template(
            chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        real = marked["attention_mask"][number] == 1
        assert (marked["labels"][number][real] != -100).long().tolist() == theirs["assistant_masks"]


def test_long_chats_are_cut_and_rows_may_be_tokenized_before(tokenizer: Any) -> None:
    collator = DataCollatorForCompletionOnly(tokenizer, max_length=24)
    batch = collator([{"messages": chat} for chat in CHATS])
    assert batch["input_ids"].shape == (2, 24)
    again = collator([collator.tokenize({"messages": chat}) for chat in CHATS])
    masked = collator(
        [
            {"input_ids": torch.tensor(ids), "assistant_masks": [int(one != -100) for one in labels]}
            for ids, labels in ((row["input_ids"], row["labels"]) for row in map(collator.tokenize, as_rows()))
        ]
    )
    for other in (again, masked):
        assert all(torch.equal(batch[name], value) for name, value in other.items())


def as_rows() -> list[dict[str, Any]]:
    return [{"messages": chat} for chat in CHATS]


def test_tools_reach_the_template(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% if tools %}{{ tools[0].function.name }} {% endif %}" + PLAIN
    tools = [{"type": "function", "function": {"name": "lantern", "parameters": {}}}]
    row = DataCollatorForCompletionOnly(tokenizer).tokenize({"messages": CHATS[0], "tools": tools})
    assert tokenizer.decode(row["input_ids"]).startswith("lantern ")
    assert tokenizer.decode([one for one in row["labels"] if one != -100]) == "by the sea<|end|>in  <|end|>"


def test_refusals(tokenizer: Any) -> None:
    collator = DataCollatorForCompletionOnly(tokenizer)
    with pytest.raises(ParameterError, match="a row has text; a chat stands in 'messages'"):
        collator([{"text": "the"}])
    with pytest.raises(ParameterError, match="the chat begins with the assistant"):
        collator([{"messages": CHATS[0][1:]}])
    tokenizer.chat_template = FORGETFUL
    with pytest.raises(ParameterError, match="message 1: the chat template writes what stands before it"):
        collator([{"messages": CHATS[0]}])
