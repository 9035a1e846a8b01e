"""The GPU benchmark runs where there is none, at a size that says nothing about speed."""

import pytest
import torch

from benchmarks import gpu_decode

CPU = torch.device("cpu")


def test_a_step_is_timed_and_its_bytes_are_counted() -> None:
    model = gpu_decode.random_llama("tiny", device=CPU, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    weights = sum(parameter.numel() for parameter in model.parameters()) - 512 * 64
    assert gpu_decode.bytes_of_step(model, room=10) == 2 * (weights + 2 * 2 * 16 * 10)
    ids = torch.arange(8)[None]
    found = gpu_decode.step_seconds(model, ids, new=4, runs=1, compiled=False)
    assert len(found["all"]) == 1
    assert found["first_seconds"] > 0
    assert gpu_decode.copy_speed(CPU, size=1000) > 0
    assert gpu_decode.sheet_speed(CPU) is None


def test_eight_billion_parameters_are_not_for_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["gpu_decode", "--device", "cpu"])
    with pytest.raises(SystemExit, match="use --size tiny"):
        gpu_decode.main()
