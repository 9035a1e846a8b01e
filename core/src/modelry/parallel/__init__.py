"""Tensor parallelism: one model over several processes, each of which holds a part of every large matrix.

A family's configuration declares a plan (`base_model_tp_plan`), which is data; `parallelize` carries it out on a
finished model, from outside. Shoeybi et al. 2019 (Megatron-LM), https://arxiv.org/abs/1909.08053.

    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("tp",))
    parallelize(model, mesh)
    model.generate(...)                                         # the same in every process
    AutoModelForCausalLM.from_pretrained(ref, tp_plan="auto")   # each process reads its part of each tensor only
"""

from typing import TYPE_CHECKING

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:
    from modelry.parallel.applying import parallelize
    from modelry.parallel.plan import plan_of

__all__ = ["parallelize", "plan_of"]

__getattr__, __dir__ = lazy_names(__name__, {"applying": "parallelize", "plan": "plan_of"})
