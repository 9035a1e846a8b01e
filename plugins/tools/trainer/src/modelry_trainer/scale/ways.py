"""A way to divide a training over devices. R copies of the weights, each shared by S processes, each layer by T."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """R times S times T devices. Where S is 1, copies are summed as DDP does it; else FSDP gathers each layer.

    Args:
        recompute: layers recompute their activations in the backward pass.
        offload: weights, gradients and optimizer lie in the CPU's memory between their uses.
        compute: bytes of a number in products: 2 for bfloat16.
        tokens: of one group of T devices in one pass.
    """

    replicate: int = 1
    shard: int = 1
    tensor: int = 1
    recompute: bool = True
    offload: bool = False
    compute: int = 2
    tokens: int = 8192

    @property
    def devices(self) -> int:
        """R S T."""
        return self.replicate * self.shard * self.tensor

    @property
    def name(self) -> str:
        """In a few words."""
        parts = [f"DDP {self.replicate}"] if self.replicate > 1 and self.shard == 1 else []
        if self.shard > 1:
            parts.append(f"FSDP {self.shard}" + (f" x {self.replicate} copies" if self.replicate > 1 else ""))
        if self.tensor > 1:
            parts.append(f"TP {self.tensor}")
        parts = parts or ["one device"]
        parts += [] if self.recompute else ["activations kept"]
        return ", ".join([*parts, *(["CPU offload"] if self.offload else [])])
