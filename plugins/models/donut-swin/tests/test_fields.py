"""What Donut writes becomes fields, the same that the published processor makes of it, whatever the model wrote."""

from typing import Any

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from modelry_donut_swin.fields import read_fields

CATEGORIES = {"<yes/>": 1, "<no/>": 2}
PIECES = [
    *("<s_a>", "</s_a>", "<s_b>", "</s_b>", "<S_B>", "<s_c.d>", "</s_c.d>", "<s_a", "</s_>", "<s_>"),
    *("<sep/>", "<yes/>", "<maybe/>", " ", "one", "2,50", "\n"),
]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("<s_name>Anna</s_name><s_paid><yes/></s_paid>", {"name": "Anna", "paid": "yes"}),
        ("<s_menu><s_nm>tea</s_nm><sep/><s_nm>rice</s_nm></s_menu>", {"menu": [{"nm": "tea"}, {"nm": "rice"}]}),
        ("<s_menu><s_nm>tea</s_nm><s_n>2</s_n></s_menu>", {"menu": {"nm": "tea", "n": "2"}}),
        ("<s_colour> red <sep/> green </s_colour>", {"colour": ["red", "green"]}),
        ("<s_cord-v2><s_total>9</s_total>", {"total": "9"}),
        ("nothing to see", {"text_sequence": "nothing to see"}),
        ("<s_a>1</s_a><sep/><s_a>2</s_a>", [{"a": "1"}, {"a": "2"}]),
        ("", {"text_sequence": ""}),
    ],
)
def test_fields(text: str, fields: Any) -> None:
    assert read_fields(text, CATEGORIES) == fields


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_equal_to_the_published_processors(text: str) -> None:
    """Also where tags are broken, crossed, of another case, or closed before they are opened."""
    oracle: Any = transformers.DonutProcessor.__new__(transformers.DonutProcessor)
    assert read_fields(text, CATEGORIES) == oracle.token2json(text, added_vocab=CATEGORIES)
