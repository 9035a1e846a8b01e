"""What is special about running a Qwen2: layers that see a window, in compiled steps too."""

import pytest
import torch

from modelry_qwen2 import Qwen2Config, Qwen2ForCausalLM
from modelry_registry import get_registry


@pytest.mark.parametrize("full_layers", [0, 1])
def test_compiled_steps_see_windows(full_layers: int) -> None:
    windowed = {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": full_layers}
    model, wide = (
        Qwen2ForCausalLM(Qwen2Config(**{**get_registry().get("models", "qwen2").tiny, **more})).eval()
        for more in (windowed, {"use_sliding_window": False})
    )
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    wide.load_state_dict(model.state_dict())
    ids = torch.arange(3, 25).view(2, 11)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    fixed = {"attention_mask": mask, "max_new_tokens": 16, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    fixed |= {"return_dict_in_generate": True, "output_logits": True}
    expected, all_seen = (torch.stack(one.generate(ids, **fixed).logits) for one in (model, wide))
    assert not expected.allclose(all_seen, atol=1e-3)
    found = model.generate(ids, **fixed, compile=True, compile_config={"backend": "eager"})
    torch.testing.assert_close(torch.stack(found.logits), expected, atol=1e-4, rtol=1e-4)
