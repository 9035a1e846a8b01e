"""Models whose parts lie on two GPUs, on the CPU and on disk."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoModelForCausalLM
from modelry_testing.pretending import some_gpu

MODELS = Path(__file__).parents[2] / "plugins" / "models"
IDS = torch.tensor([[3, 9, 4, 7, 5], [8, 8, 6, 2, 11]])
MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])


@pytest.mark.parametrize("second", [1, "cpu", "disk"])
def test_a_padded_batch_goes_on_over_devices(llama: Path, second: Any, moved: Any) -> None:
    lengths = {"max_new_tokens": 4, "min_new_tokens": 4}
    expected = AutoModelForCausalLM.from_pretrained(llama).generate(IDS, attention_mask=MASK, **lengths)
    last = "cpu" if second == "disk" else second
    places = {"model.embed_tokens": 0, "model.layers.0": 0, "model.layers.1": second, "model.norm": last}
    with some_gpu(count=2 if second == 1 else 1):
        model = AutoModelForCausalLM.from_pretrained(
            llama, device_map=places | {"model.rotary_emb": 0, "lm_head": last}
        )
        found = model.generate(moved(IDS), attention_mask=moved(MASK), **lengths)
        assert str(found.device) == "cuda:0"
        assert found.cpu().tolist() == expected.tolist()


@pytest.mark.filterwarnings("ignore")  # of tiny models, which other tests look at
@pytest.mark.parametrize(
    ("family", "share"),
    [("gpt2", 0.3), ("qwen3", 0.3), ("clip", 0.3), ("layoutlmv3", 0.3), ("qwen2-vl", 0.3), ("mask2former", 0.6)],
)
def test_a_boundary_anywhere(family: str, share: float, subjects: Any, moved: Any) -> None:
    """Between embeddings, too, which are added up outside of them, and between maps that are read together."""
    subject = subjects(MODELS / family / "tests" / "test_contract.py")[-1]
    model, inputs = subject.model(), subject.inputs_of(subject.head)
    with torch.inference_mode():
        expected = model(**inputs)
    total = sum(one.nbytes for one in model.parameters())
    with some_gpu(count=2), torch.inference_mode():
        room = {0: int(share * total), 1: 10**9}
        divided = type(model).from_pretrained(subject.saved(), device_map="auto", max_memory=room)
        found = divided(**moved(inputs, str(divided.device)))
        torch.testing.assert_close(found[0].cpu(), expected[0], rtol=1e-4, atol=1e-4)
