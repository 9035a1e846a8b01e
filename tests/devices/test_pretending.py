"""The GPU that is none refuses what a GPU refuses, and leaves nothing behind."""

import pytest
import torch

from modelry_testing.pretending import DevicesMet, PretendedGpu, is_real, some_gpu


def test_what_a_gpu_refuses() -> None:
    with PretendedGpu(count=2), torch.inference_mode():
        here, there, host = torch.ones(3, device="cuda:0"), torch.ones(3, device="cuda:1"), torch.ones(3)
        for other in (there, host):
            with pytest.raises(DevicesMet, match=r"cuda:0"):
                here + other
        with pytest.raises(DevicesMet, match="indices on cuda:0"):
            host[torch.zeros(1, dtype=torch.long, device="cuda:0")]
        with pytest.raises(RuntimeError, match="generator"):
            torch.rand(2, device="cuda:0", generator=torch.Generator())
        with pytest.raises(RuntimeError, match="nobody waits"):
            here.to("cpu", non_blocking=True)
        with pytest.raises(NotImplementedError, match="product of"):
            torch.ones(2, 2, dtype=torch.long, device="cuda:0") @ torch.ones(2, 2, dtype=torch.long, device="cuda:0")
        x, scales = torch.ones(1, 64, device="cuda:0"), torch.ones(2, 64, 2, device="cuda:0")
        with pytest.raises(NotImplementedError, match="for the CPU alone"):
            torch._weight_int4pack_mm_for_cpu(x, torch.ones(64, 32, dtype=torch.uint8, device="cuda:0"), 32, scales)


def test_what_it_computes_and_counts() -> None:
    with PretendedGpu() as gpu, torch.inference_mode():
        x = torch.arange(6.0, device="cuda:0").view(2, 3)
        x[:, 1:].copy_(torch.zeros(2, 2))
        assert x.tolist() == [[0, 0, 0], [3, 0, 0]]
        assert x.sum().item() == 3
        assert gpu.waits["aten._local_scalar_dense.default"] == 1, "the sum's"
        assert (x + torch.tensor(1.0)).device == torch.device("cuda", 0)
    assert not torch.cuda.is_available() or torch.version.cuda
    assert torch.ones(2).sum() == 2


def test_a_real_gpu_is_taken_before_one_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert is_real()
    with some_gpu():
        assert not torch.backends.cudnn.allow_tf32
    assert not isinstance(some_gpu(), PretendedGpu)
    assert isinstance(some_gpu("mps"), PretendedGpu)
    with pytest.raises(pytest.skip.Exception, match="has 1 GPUs, and 2 are needed"):
        some_gpu(count=2)
