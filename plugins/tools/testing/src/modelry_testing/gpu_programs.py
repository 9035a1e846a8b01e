"""What torch's compiler writes for GPUs, run on a processor: Triton interprets it. See `modelry_testing.interpreting`.

For scripts of their own, before anything else is imported: PyTorch is changed where it asks for the kind of device,
since on a CPU it would write other programs.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from modelry_testing.interpreting import Driver

Change = tuple[str, str]
"""What is written in a module, and what is read instead."""


class _Changed(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, changes: Sequence[Change]) -> None:
        super().__init__(fullname, path)
        self._changes = changes

    def get_code(self, fullname: str) -> Any:
        source = self.get_data(self.path).decode()
        for before, after in self._changes:
            assert before in source, f"{fullname} does not say {before!r} any more"
            source = source.replace(before, after)
        return compile(source, self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, changes: Mapping[str, Sequence[Change]]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in self._changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        spec.loader = _Changed(name, str(spec.origin), self._changes[name])
        return spec


def prepare(changes: Mapping[str, Sequence[Change]]) -> None:
    """Let compiled programs on the CPU be those of a GPU.

    Args:
        changes: by module, none of which is imported yet.
    """
    sys.meta_path.insert(0, _Finder(changes))
    import torch
    import torch._inductor.codegen.triton_utils
    import torch._inductor.codegen.wrapper
    import torch._inductor.config
    import torch._inductor.runtime.triton_helpers as helpers
    import triton.language as tl
    from triton.runtime import driver

    driver.set_active(Driver("cuda", 90, 32))
    inductor: Any = torch._inductor
    cuda: Any = torch.cuda
    cuda.get_device_properties = lambda *_: SimpleNamespace(multi_processor_count=132)  # an H100's
    inductor.config.cpu_backend = "triton"
    inductor.config.compile_threads = 1
    for module in (inductor.codegen.triton_utils, inductor.codegen.wrapper):
        module.should_unwrap_unspec_arg = lambda name: False  # a CPU's single numbers go by value otherwise
    # CUDA's own library cannot be interpreted.
    library: Any = helpers
    library.libdevice = SimpleNamespace(
        exp=lambda x: tl.exp(x),
        exp2=lambda x: tl.exp2(x),
        log2=lambda x: tl.log2(x),
        rsqrt=lambda x: tl.rsqrt(x),
        tanh=lambda x: 2 * tl.sigmoid(2 * x) - 1,
    )
