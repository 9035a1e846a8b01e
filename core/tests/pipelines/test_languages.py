"""Names of tasks: those that say languages, and what a task is called too."""

import pytest

from modelry.errors import ParameterError
from modelry.pipelines.building import _plain_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("translation_en_to_fr", ("translation", "en", "fr")),
        ("translation_en_XX_to_ro_RO", ("translation", "en_XX", "ro_RO")),
        ("translation", ("translation", None, None)),
        ("text-generation", ("text-generation", None, None)),
        ("sentiment-analysis", ("text-classification", None, None)),
        ("image_to_text", ("image_to_text", None, None)),
    ],
)
def test_a_name_with_languages(name: str, expected: tuple[str, str | None, str | None]) -> None:
    parameters: dict[str, str] = {}
    assert (_plain_name(name, parameters), parameters.get("src_lang"), parameters.get("tgt_lang")) == expected


def test_two_things_are_said() -> None:
    with pytest.raises(ParameterError, match="say two things"):
        _plain_name("translation_en_to_fr", {"src_lang": "de"})
    assert _plain_name("translation_en_to_fr", {"src_lang": "en"}) == "translation"
