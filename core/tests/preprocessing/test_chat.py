"""apply_chat_template: the same text, ids and masks as transformers over templates of many shapes; its refusals."""

import datetime
from enum import Enum
from typing import Any, Literal

import numpy
import pytest
import torch

from modelry.errors import PreprocessorError, TemplateError
from modelry.preprocessing.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers")

# Templates of the shapes that published models use, written for these tests.
DEFAULT_SYSTEM = """{% for message in messages %}
{%- if loop.first and message['role'] != 'system' -%}
<|im_start|>system
You answer briefly.<|im_end|>
{% endif -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

HEADERS = """{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- bos_token + "<|header|>system<|end|>\\n\\nToday: " + date_string + "\\n" + system_message }}
{%- if tools is not none %}
    {{- "Tools:\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|header|>' + message['role'] + '<|end|>\\n\\n' + message['content'] | trim + eos_token }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("one tool call at once") }}{%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}{{- call.arguments | tojson }}{{- "}" + eos_token }}
    {%- elif message.role == "tool" %}
        {{- "<|header|>ipython<|end|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|header|>assistant<|end|>\\n\\n' }}{%- endif %}"""

INSTRUCT = """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}{% if message['role'] == 'user' %}
{{ '[INST] ' + message['content'].strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}
{{ ' ' ~ message['content'] ~ ' ' ~ eos_token }}{% endif %}{% endfor %}"""

PARTS = """{%- set ns = namespace(images=0, seen=[]) -%}
{%- for m in messages %}
  {%- for part in m.content %}
    {%- if part.type == 'image' %}{% set ns.images = ns.images + 1 %}<image {{ ns.images }}>
    {%- elif 'text' in part %}{{ part.text.replace('\\n', ' ').split('</think>')[-1].lstrip('\\n') }}{% continue %}
    {%- else %}{% break %}
    {%- endif %}
  {%- endfor %}
  {%- set ns.seen = ns.seen + [m.role] %}
{%- endfor %}|{{ ns.seen | join(', ') }}|{{ messages | map(attribute='role') | unique | list | length }}"""

DOCUMENTS = """{% macro shown(doc, n) %}[{{ n }}] {{ doc.title | upper }}: {{ doc['text'] }}{% endmacro %}
{% for d in documents %}{{ shown(d, loop.index) }}
{% endfor %}{% for message in messages | selectattr('role', 'equalto', 'user') %}{{ message.content }}{% endfor %}
{{ strftime_now('%Y') }} {{ extra.items() | list | tojson }} {{ '%03d' % 7 }} {{ '{:>5}'.format('x') }} {{ 7 // 2 }}"""

GENERATION = """{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>assistant
{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}

{% else %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endif %}{% endfor %}"""

REASONING = """{% for m in messages %}{{ m.role }}:{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>
{% endif %}{{ m.content or '' }};{% endfor %}"""

CHAT = [
    {"role": "system", "content": " Be kind. "},
    {"role": "user", "content": "What is 2+2? 😀\n<b>&amp;</b>"},
    {"role": "assistant", "content": "It's 4, naïve question.  "},
    {"role": "user", "content": "Sure?"},
    {"role": "assistant", "content": "Yes, of course "},
]
TURNS = CHAT[1:]
TOOL_CHAT = [
    {"role": "user", "content": "Weather in Köln?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln", "days": 2}}}],
    },
    {"role": "tool", "name": "weather", "content": {"degrees": 21.5, "sky": "clear"}},
    {"role": "assistant", "content": "21.5 degrees."},
]


class Unit(Enum):
    """Units of temperature."""

    CELSIUS = "c"
    KELVIN = "k"


def weather(city: str, days: int = 1, units: Literal["c", "f"] = "c", where: list[float] | None = None) -> str:
    """Tell the weather.

    Asks a service.

    Args:
        city: The town,
            with its country: "Köln, Germany".
        days: How many days.
        units: Of temperature (choices: ["c", "f"])
        where: Latitude and longitude.

    Returns:
        A sentence.
    """
    return city


@pytest.fixture
def both(published: Any) -> tuple[Tokenizer, Any]:
    folder = published("gpt2")
    return Tokenizer.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("template", "chat", "options"),
    [
        (None, CHAT, {}),
        (None, CHAT, {"add_generation_prompt": True}),
        (DEFAULT_SYSTEM, TURNS, {"add_generation_prompt": True}),
        (DEFAULT_SYSTEM, CHAT, {"continue_final_message": True}),
        (HEADERS, CHAT, {"date_string": "1 Jan 2026"}),
        (HEADERS, CHAT, {"continue_final_message": True}),
        (HEADERS, TOOL_CHAT, {"tools": [weather]}),
        (HEADERS, TOOL_CHAT, {"tools": [{"type": "function", "function": {"name": "Über<b>"}}]}),
        (INSTRUCT, TURNS, {}),
        (INSTRUCT, TURNS, {"bos_token": "<mine>"}),
        (
            PARTS,
            [{"role": "user", "content": [{"type": "image", "image": object()}, {"type": "text", "text": "a\nb"}]}],
            {},
        ),
        (PARTS, [{"role": "user", "content": [{"type": "x"}, {"type": "text", "text": "never"}]}], {}),
        (DOCUMENTS, TURNS, {"documents": [{"title": "a", "text": "b"}], "extra": {"k": (1, None, True)}}),
        (GENERATION, CHAT, {}),
        (REASONING, [{"role": "assistant", "thinking": "hm", "content": "x"}, {"role": "a", "content": None}], {}),
        (REASONING, [{"role": "assistant", "reasoning": "hm"}], {"continue_final_message": "reasoning_content"}),
    ],
)
def test_the_same_as_transformers(both: tuple[Tokenizer, Any], template: str | None, chat: Any, options: Any) -> None:
    ours, theirs = both
    options = {"chat_template": template, **options}
    wanted = theirs.apply_chat_template(chat, tokenize=False, **options)
    assert ours.apply_chat_template(chat, tokenize=False, **options) == wanted
    assert dict(ours.apply_chat_template(chat, **options)) == dict(theirs.apply_chat_template(chat, **options))
    batch = {"padding": True, "return_tensors": "np", "truncation": True, "max_length": 40, **options}
    found = ours.apply_chat_template([chat, chat[:1]] if not options.get("continue_final_message") else [chat], **batch)
    expected = theirs.apply_chat_template(
        [chat, chat[:1]] if not options.get("continue_final_message") else [chat], **batch
    )
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in expected.items()
    }


def test_assistant_masks_are_the_same(both: tuple[Tokenizer, Any]) -> None:
    ours, theirs = both
    options = {"chat_template": GENERATION, "return_assistant_tokens_mask": True}
    found = ours.apply_chat_template(CHAT, **options)
    assert found["assistant_masks"] == theirs.apply_chat_template(CHAT, **options)["assistant_masks"]
    marked = [token for token, mask in zip(found["input_ids"], found["assistant_masks"], strict=True) if mask]
    assert ours.decode(marked) == "It's 4, naïve question.  <|im_end|>Yes, of course <|im_end|>"
    batch = {"padding": True, "padding_side": "left", **options}
    chats = [CHAT, TURNS]
    tensors = ours.apply_chat_template(
        chats, padding=True, return_tensors="pt", tokenizer_kwargs={"padding_side": "left"}, **options
    )
    lists = theirs.apply_chat_template(
        chats, padding=True, return_tensors="pt", tokenizer_kwargs={"padding_side": "left"}, **options
    )
    assert batch["padding"]
    assert isinstance(tensors["assistant_masks"], torch.Tensor)
    assert tensors["assistant_masks"].tolist() == lists["assistant_masks"].tolist()


def test_a_mask_ends_within_a_character(gpt2: Tokenizer) -> None:
    """Several tokens of one emoji are all the assistant's."""
    template = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}.{% endfor %}"
    found = gpt2.apply_chat_template(
        [{"role": "assistant", "content": "𠜎"}], chat_template=template, return_assistant_tokens_mask=True
    )
    assert found["assistant_masks"] == [1] * (len(found["input_ids"]) - 1) + [0]


def test_shapes_of_the_answer(gpt2: Tokenizer) -> None:
    chat = [{"role": "user", "content": "hi"}]
    ids = gpt2.apply_chat_template(chat, return_dict=False)
    assert ids == gpt2.apply_chat_template(chat)["input_ids"]
    assert gpt2.apply_chat_template([chat], return_dict=False) == [ids]
    assert gpt2.apply_chat_template([chat], tokenize=False) == ["<|im_start|>user\nhi<|im_end|>\n"]
    assert gpt2.apply_chat_template(tuple(chat), return_tensors="np")["input_ids"].shape == (1, len(ids))


def test_values_are_plain_inside() -> None:
    from modelry.preprocessing.chat_template import render

    template = "{{ a is none }} {{ b + 1 }} {{ c }} {{ d }} {{ e.f }} {{ g }}"
    values = {"a": None, "b": numpy.int64(2), "c": numpy.bool_(False), "d": numpy.zeros(3), "e": {"f": 1.5}, "g": Unit}
    assert render(template, values, where="t").text == "True 3 False <ndarray> 1.5 <EnumType>"


def test_named_templates(gpt2: Tokenizer, tmp_path: Any) -> None:
    chat = [{"role": "user", "content": "hi"}]
    gpt2.chat_template = {"default": "d", "tool_use": "t {{ tools | length }}", "rag": "r"}
    gpt2.save_pretrained(tmp_path)
    assert (tmp_path / "chat_template.jinja").read_text() == "d"
    assert sorted(path.name for path in (tmp_path / "additional_chat_templates").iterdir()) == [
        "rag.jinja",
        "tool_use.jinja",
    ]
    for loaded in (Tokenizer.from_pretrained(tmp_path), transformers.AutoTokenizer.from_pretrained(tmp_path)):
        assert loaded.chat_template == gpt2.chat_template
        assert loaded.apply_chat_template(chat, tokenize=False) == "d"
        assert loaded.apply_chat_template(chat, tokenize=False, tools=[weather]) == "t 1"
        assert loaded.apply_chat_template(chat, tokenize=False, chat_template="rag") == "r"
    with pytest.raises(PreprocessorError, match=r"no chat template 'chat'; it has: default, rag, tool_use"):
        gpt2.apply_chat_template(chat, chat_template="chat")
    gpt2.chat_template = {"rag": "r", "other": "o"}
    with pytest.raises(PreprocessorError, match=r"none is the default; pass chat_template= with one of other, rag"):
        gpt2.apply_chat_template(chat)
    gpt2.chat_template = {"../escape": "x"}
    with pytest.raises(PreprocessorError, match="cannot be a file name"):
        gpt2.save_pretrained(tmp_path)


def test_no_template_says_what_to_do(published: Any) -> None:
    tokenizer = Tokenizer.from_pretrained(published("unigram"))
    with pytest.raises(PreprocessorError, match=r"has no chat template.*Pass chat_template="):
        tokenizer.apply_chat_template([{"role": "user", "content": "hi"}])


def test_a_list_of_templates_in_the_configuration(published: Any) -> None:
    several = [{"name": "default", "template": "a"}, {"name": "b", "template": "c"}]
    assert Tokenizer.from_pretrained(published("unigram"), chat_template=several).chat_template == {
        "default": "a",
        "b": "c",
    }
    with pytest.raises(PreprocessorError, match="chat_template is a int"):
        Tokenizer.from_pretrained(published("unigram"), chat_template=3)


@pytest.mark.parametrize(
    ("conversation", "options", "message"),
    [
        ([], {}, "conversation is empty"),
        ("hello", {}, "of type str; give messages"),
        ([1], {}, "message 0 is 1 of type int"),
        ([["x"]], {}, "conversation 0: message 0 is 'x' of type str"),
        ([{"role": "u", "content": "x"}], {"documents": ["d"]}, r"documents\[0\] is 'd' of type str"),
        ([{"role": "u", "content": "x"}], {"tools": "d"}, "tools is a str"),
        ([{"role": "u", "content": "x"}], {"tools": [3]}, r"tools\[0\] is 3 of type int"),
        ([{"role": "u"}], {"continue_final_message": True}, "asks for 'content', and the last message has role"),
        ([{"role": "u", "content": 3}], {"continue_final_message": True}, "holds no text to continue: 3"),
        (
            [{"role": "u", "content": "x"}],
            {"continue_final_message": True, "add_generation_prompt": True},
            "begins one",
        ),
        ([{"role": "u", "content": "x"}], {"return_assistant_tokens_mask": True}, "marks no {% generation %}"),
        (
            [{"role": "u", "content": "x"}],
            {"return_assistant_tokens_mask": True, "return_dict": False},
            "needs tokenize",
        ),
    ],
)
def test_wrong_arguments(gpt2: Tokenizer, conversation: Any, options: Any, message: str) -> None:
    with pytest.raises(PreprocessorError, match=message):
        gpt2.apply_chat_template(conversation, **options)


def test_a_message_that_holds_itself(gpt2: Tokenizer) -> None:
    message: dict[str, Any] = {"role": "user"}
    message["content"] = [message]
    with pytest.raises(PreprocessorError, match="message 0 holds itself"):
        gpt2.apply_chat_template([message])


def test_a_template_that_leaves_the_message_out(gpt2: Tokenizer) -> None:
    with pytest.raises(TemplateError, match="leaves 'content' of the last message out"):
        gpt2.apply_chat_template([{"content": "x"}], chat_template="{{ 'nothing' }}", continue_final_message=True)


def test_todays_date(gpt2: Tokenizer) -> None:
    year = datetime.datetime.now().strftime("%Y")
    assert gpt2.apply_chat_template([{"role": "u"}], chat_template="{{ strftime_now('%Y') }}", tokenize=False) == year


def test_the_callers_messages_are_not_changed(gpt2: Tokenizer) -> None:
    chat = [{"role": "user", "content": [{"type": "text", "text": "x"}]}]
    text = gpt2.apply_chat_template(
        chat, chat_template="{{ messages[0].content[0].text }}", continue_final_message=True, tokenize=False
    )
    assert text == "x"
    assert chat == [{"role": "user", "content": [{"type": "text", "text": "x"}]}]
