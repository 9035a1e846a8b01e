"""The GPU's training benchmark runs where there is none, and counts operations as published."""

import pytest
import torch

from benchmarks import gpu_decode, gpu_training
from modelry_llama import LlamaConfig

CPU = torch.device("cpu")


def test_operations_of_a_token() -> None:
    sizes = {"vocab_size": 10, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2}
    config = LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=False)
    layer = (2 * 8 * 8 + 2 * 4 * 8) + 3 * 8 * 12 + 2 * 8
    attention = 12 * 2 * 2 * 4 * 100
    assert gpu_training.flops_of_token(config, length=100) == 6 * (2 * layer + 8 + 80) + attention
    tied = config.model_copy(update={"tie_word_embeddings": True})
    assert gpu_training.flops_of_token(tied, length=100) == gpu_training.flops_of_token(config, length=100)


def test_limits() -> None:
    assert gpu_training.sheet_speed("NVIDIA H200") == 989e12
    assert gpu_training.sheet_speed("NVIDIA L40S") == 362e12
    assert gpu_training.sheet_speed("a GPU of nobody") is None
    assert gpu_training.product_speed(CPU, size=16) > 0


def test_steps_are_timed() -> None:
    model = gpu_decode.random_llama("tiny", device=CPU, dtype=torch.float32)
    found = gpu_training.step_seconds(model, torch.arange(32).view(2, 16), steps=2)
    assert len(found["all"]) == 2
    assert len(found["losses"]) == gpu_training.WARM_UP + 2
    assert found["losses"][-1] < found["losses"][0]
    assert found["step_seconds"] > 0


def test_a_billion_parameters_are_not_for_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["gpu_training", "--device", "cpu"])
    with pytest.raises(SystemExit, match="use --size tiny"):
        gpu_training.main()
