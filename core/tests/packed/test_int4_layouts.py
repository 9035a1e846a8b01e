"""A layout holds the same integers as a file, and its kernel multiplies with them."""

import pytest
import torch

from modelry.packed.int4_layouts import (
    CpuLayout,
    CudaLayout,
    FileLayout,
    Layout,
    cpu_block,
    cuda_kernel_works,
    layout_for,
)
from modelry.packed.int4_packing import fold, unfold

CPU = torch.device("cpu")


def packed(outputs: int, inputs: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return fold(torch.randint(16, (outputs, inputs), dtype=torch.uint8, generator=generator))


def test_this_machine_has_a_kernel_we_know() -> None:
    assert cpu_block() in (32, 64)
    assert layout_for(CPU, outputs=192, inputs=96) == CpuLayout(cpu_block())


@pytest.mark.parametrize(("outputs", "inputs"), [(80, 96), (64, 48)])
def test_layers_without_a_kernel(outputs: int, inputs: int) -> None:
    assert isinstance(layout_for(CPU, outputs=outputs, inputs=inputs), FileLayout)
    assert isinstance(layout_for(torch.device("meta"), outputs=64, inputs=64), FileLayout)


@pytest.mark.parametrize("layout", [FileLayout(), CpuLayout(cpu_block())])
@pytest.mark.parametrize(("outputs", "inputs"), [(64, 32), (192, 160)])
def test_there_and_back(layout: Layout, outputs: int, inputs: int) -> None:
    before = packed(outputs, inputs)
    kept = layout.lay(before)
    assert torch.equal(layout.as_in_files(kept, outputs=outputs, inputs=inputs), before)
    integers = layout.centred(kept, outputs=outputs, inputs=inputs, dtype=torch.float32)
    assert torch.equal(integers, unfold(before).float().t() - 8)


@pytest.mark.parametrize("inputs", [32, 96, 128, 256])
def test_shapes_of_the_gpu_layout(inputs: int) -> None:
    """Without a GPU: the kernel's own rules for shapes, which PyTorch knows on the meta device."""
    tiles = next(tiles for tiles in (8, 4, 2) if inputs % (tiles * 16) == 0)
    laid = CudaLayout(tiles).lay(torch.empty(64, inputs // 2, dtype=torch.uint8, device="meta"))
    assert (laid.shape, laid.dtype) == ((8, inputs // (tiles * 16), 32, tiles // 2), torch.int32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_layout() -> None:
    device = torch.device("cuda", 0)
    if not cuda_kernel_works(device):
        pytest.skip("this GPU has no 4-bit kernel")
    layout = layout_for(device, outputs=64, inputs=256)
    assert isinstance(layout, CudaLayout)
    before = packed(64, 256).to(device)
    assert torch.equal(layout.as_in_files(layout.lay(before), outputs=64, inputs=256), before)
