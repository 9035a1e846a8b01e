"""A GPU that is none: tensors that say they lie on one, and whose numbers lie on the CPU.

It finds what would fail on a GPU, or be slow there, on machines without any: tensors of two devices that meet, kernels
that only a CPU has, waits for the GPU. What a GPU's own kernels compute, and how fast, it cannot know.
"""

from modelry_testing.pretending.gpu import PretendedGpu
from modelry_testing.pretending.some_gpu import is_real, some_gpu
from modelry_testing.pretending.tensors import DevicesMet, DeviceTensor

__all__ = ["DeviceTensor", "DevicesMet", "PretendedGpu", "is_real", "some_gpu"]
