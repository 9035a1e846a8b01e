"""The package flash-attn itself, on this processor: what models say by it is what they say by sdpa."""

from pathlib import Path

import pytest

from modelry_testing.interpreting import MISSING, interpreted


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_models_say_by_it_what_they_say_by_sdpa() -> None:
    said = interpreted(Path(__file__).with_name("interpreted.py"), FLASH_ATTENTION_TRITON_AMD_ENABLE="TRUE")
    for kind, apart in said["apart"].items():
        for what, distance in apart.items():
            assert distance <= (0 if what == "tokens" else 4e-3), f"{kind}: {what} is {distance:g} apart"
    assert {name for name, times in said["called"].items() if times > 10} == {"flash_attn_varlen_func"}
    assert said["called"]["flash_attn_func"] == 4, "rows of one length lie as they are: two layers of two models"
    assert "pass over a window of 4 positions" in said["window"]
