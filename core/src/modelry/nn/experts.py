"""Mixtures of experts: a router chooses for each token a few of many MLPs. Shazeer et al. 2017,
https://arxiv.org/abs/1701.06538; Fedus et al. 2021, https://arxiv.org/abs/2101.03961.

N tokens, of all rows   D width of the residual stream   F width inside an expert   X experts   C chosen for a token
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.cache import LayerCache
from modelry.nn.activations import Activation
from modelry.nn.decoder_layer import DecoderLayer
from modelry.nn.kept import Kept
from modelry.nn.masks import Mask
from modelry.nn.rope import Angles


class Experts(nn.Module):
    """X gated MLPs whose weights are stacked.

    Args:
        experts: X.
        size: D.
        inner: F.
        act: applied to the gate.
        spread: standard deviation of new weights.
    """

    def __init__(self, experts: int, size: int, inner: int, *, act: Activation, spread: float) -> None:
        super().__init__()
        self.gate_proj = nn.Parameter(torch.empty(experts, inner, size).normal_(0.0, spread))
        self.up_proj = nn.Parameter(torch.empty(experts, inner, size).normal_(0.0, spread))
        self.down_proj = nn.Parameter(torch.empty(experts, size, inner).normal_(0.0, spread))
        self.act = act

    def forward(self, x: Tensor, chosen: Tensor, shares: Tensor) -> Tensor:
        """The sum of what each token's experts say. Only experts that some token chose are run, each once.

        Args:
            x: (N, D).
            chosen: (N, C) int64.
            shares: (N, C), what each of them counts.

        Returns:
            (N, D).
        """
        if torch.compiler.is_compiling():
            return self._at_once(x, chosen, shares)
        return by_expert(x, chosen, shares, self._run, experts=self.gate_proj.shape[0])

    def _run(self, expert: int, x: Tensor) -> Tensor:
        opened = self.act(F.linear(x, self.gate_proj[expert])) * F.linear(x, self.up_proj[expert])
        return F.linear(opened, self.down_proj[expert])

    def _at_once(self, x: Tensor, chosen: Tensor, shares: Tensor) -> Tensor:
        """The same without asking who chose whom, which a compiled graph cannot: each token's weights are gathered
        while they are fewer than all, and every expert is run on every token from there on."""
        experts, (count, each) = self.gate_proj.shape[0], chosen.shape
        if count * each < experts:
            gate = torch.einsum("nd,ncfd->ncf", x, self.gate_proj[chosen])
            up = torch.einsum("nd,ncfd->ncf", x, self.up_proj[chosen])
            said = torch.einsum("ncf,ncdf->ncd", self.act(gate) * up, self.down_proj[chosen])
            return (said * shares[..., None]).sum(1).to(x.dtype)
        gate = torch.einsum("nd,xfd->nxf", x, self.gate_proj)
        up = torch.einsum("nd,xfd->nxf", x, self.up_proj)
        weights = torch.zeros(count, experts, dtype=shares.dtype, device=x.device).scatter(1, chosen, shares)
        opened = self.act(gate) * up * weights.to(x.dtype)[..., None]
        return torch.einsum("nxf,xdf->nd", opened, self.down_proj)


def by_expert(
    x: Tensor, chosen: Tensor, shares: Tensor, run: Callable[[int, Tensor], Tensor], *, experts: int
) -> Tensor:
    """The sum of what each token's experts say: `Experts.forward`.

    Args:
        run: number of an expert and its tokens (M, D) to what it says of them; called once for each that was chosen.
        experts: X.
    """
    order = chosen.flatten().argsort(stable=True)  # (N C,) places in `chosen`, by expert
    tokens = order // chosen.shape[1]
    gathered = x[tokens]
    found, start = [], 0
    for expert, count in enumerate(torch.bincount(chosen.flatten(), minlength=experts).tolist()):
        if count:
            found.append(run(expert, gathered[start : start + count]))
            start += count
    said = torch.cat(found) * shares.flatten()[order, None]
    return torch.zeros_like(x).index_add(0, tokens, said.to(x.dtype))


class Router(nn.Module):
    """Scores the experts of each token and chooses the best.

    Args:
        experts: X.
        size: D.
        chosen: C.
        normalised: whether the shares of those chosen add up to one.
        spread: standard deviation of new weights.
    """

    def __init__(self, experts: int, size: int, *, chosen: int, normalised: bool, spread: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, size).normal_(0.0, spread))
        self.chosen, self.normalised = chosen, normalised

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, D) to logits (N, X), the numbers (N, C) of the chosen experts, and their shares (N, C) in float32."""
        logits = F.linear(x, self.weight)
        shares, chosen = logits.softmax(dim=-1, dtype=torch.float32).topk(self.chosen, dim=-1)
        if self.normalised:
            shares = shares / shares.sum(dim=-1, keepdim=True)
        return logits, chosen, shares


class SparseMLP(nn.Module):
    """A router and its experts, in place of a layer's MLP.

    Args:
        jitter: in training, inputs are multiplied by random numbers from 1 - jitter to 1 + jitter.
        rounded: whether shares are rounded to the dtype of the hidden states before they are used.
    """

    def __init__(self, gate: Router, experts: Experts, *, jitter: float = 0.0, rounded: bool = False) -> None:
        super().__init__()
        self.gate = gate
        self.experts = experts
        self.jitter, self.rounded = jitter, rounded

    def forward(self, x: Tensor, routed: Kept | None = None) -> Tensor:
        """(B, T, D) to (B, T, D). The router's logits (N, X) are appended to `routed`."""
        flat = x.flatten(0, -2)  # (N, D)
        if self.training and self.jitter:
            flat = flat * torch.empty_like(flat).uniform_(1.0 - self.jitter, 1.0 + self.jitter)
        logits, chosen, shares = self.gate(flat)
        if routed is not None:
            routed.append(logits)
        mixed: Tensor = self.experts(flat, chosen, shares.to(x.dtype) if self.rounded else shares)
        return mixed.view_as(x)


class SparseDecoderLayer(DecoderLayer):
    """A decoder's layer whose MLP may be a mixture."""

    def forward(
        self, x: Tensor, angles: Angles, mask: Mask, cache: LayerCache | None, routed: Kept | None = None
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), angles, mask, cache)
        normal = self.post_attention_layernorm(x)
        out: Tensor = x + (self.mlp(normal, routed) if isinstance(self.mlp, SparseMLP) else self.mlp(normal))
        return out


def balancing_loss(logits: Sequence[Tensor], *, chosen: int, attention_mask: Tensor | None = None) -> Tensor:
    """How unevenly tokens fall to experts, least where all are equal: X times the sum over experts of the share of
    tokens and the mean probability. https://arxiv.org/abs/2101.03961, equations 4 to 6, over all layers together.

    Args:
        logits: (N, X) of each layer's router.
        chosen: C.
        attention_mask: (B, T), 0 where a token does not count; None where all do.
    """
    every = torch.stack([one.float().softmax(dim=-1) for one in logits])  # (L, N, X)
    experts = every.shape[-1]
    counts = F.one_hot(every.topk(chosen, dim=-1).indices, experts).sum(2).float()  # (L, N, X)
    if attention_mask is None:
        share, mean = counts.mean((0, 1)), every.mean((0, 1))
    else:
        real = attention_mask.reshape(-1, 1).to(every)
        total = real.sum() * len(logits)
        share, mean = (counts * real).sum((0, 1)) / total, (every * real).sum((0, 1)) / total
    return (share * mean).sum() * experts
