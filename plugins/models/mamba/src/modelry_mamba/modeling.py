"""Mamba: token ids in, hidden states out, by a state that each token fades and adds to. It attends to nothing.

B batch   T new positions   D hidden_size   I width of what the state reads   N numbers of state for each
K positions of the convolution   R time_step_rank
Paper: https://arxiv.org/abs/2312.00752.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.cache import Cache, StateLayerCache
from modelry.checkpoint.weight_table import Former, WeightTable
from modelry.heads import CausalLM
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry.nn.norm import RMSNorm
from modelry.nn.selective_scan import causal_convolution, selective_scan
from modelry.outputs import BaseModelOutputWithPast
from modelry_mamba.configuration import MambaConfig


class TimeStep(nn.Linear):
    """R numbers to what each input's step is made of. Starts so that steps lie within the configured range."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight).float() + self.bias.float()


class CausalConvolution(nn.Conv1d):
    """Over the last positions; see `modelry.nn.selective_scan.causal_convolution`."""

    def forward(self, x: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # with what the cache keeps
        return causal_convolution(x, self.weight, self.bias, before=before)


class OntoStream(Linear):
    """Projects onto the residual stream; may start the smaller the more layers there are."""


class MambaMixer(nn.Module):
    """A convolution over the last positions, then the state, gated."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        size, inner, state = config.hidden_size, config.inner, config.state_size
        self.sizes = [config.rank, state, state]
        self.act = activation(config.hidden_act)
        self.conv1d = CausalConvolution(inner, inner, config.conv_kernel, groups=inner, bias=config.use_conv_bias)
        self.in_proj = Linear(size, 2 * inner, bias=config.use_bias)
        self.x_proj = Linear(inner, config.rank + 2 * state, bias=False)
        self.dt_proj = TimeStep(config.rank, inner)
        self.A_log = nn.Parameter(torch.empty(inner, state))
        self.D = nn.Parameter(torch.empty(inner))
        self.out_proj = OntoStream(inner, size, bias=config.use_bias)

    def forward(self, x: Tensor, real: Tensor | None, cache: StateLayerCache | None) -> Tensor:
        """(B, T, D) to (B, T, D). What stands at padding, where `real` (B, T, 1) is 0, enters no state."""
        before, state = (None, None) if cache is None else self._remembered(cache, x.shape[0])
        x = x if real is None else x * real
        inputs, gate = self.in_proj(x).chunk(2, dim=-1)  # (B, T, I) each
        filtered, last = self.conv1d(inputs.transpose(1, 2), before)
        u = self.act(filtered).transpose(1, 2)  # (B, T, I)
        u = u if real is None else u * real
        step, write, read = self.x_proj(u).split(self.sizes, dim=-1)  # (B, T, R), (B, T, N), (B, T, N)
        step = F.softplus(self.dt_proj(step).float())  # (B, T, I)
        found, state = selective_scan(u, step, -torch.exp(self.A_log.float()), write, read, state=state)
        if cache is not None:
            cache.write(last, state)
        mixed = (found + u * self.D).to(x.dtype) * F.silu(gate)
        out: Tensor = self.out_proj(mixed)
        return out

    def _remembered(self, cache: StateLayerCache, rows: int) -> tuple[Tensor | None, Tensor | None]:
        """Inputs of the last positions, (B, I, K - 1), and the state, (B, I, N); None before the first.

        Raises:
            ValueError: the cache is of another number of rows, or of a Mamba of other sizes.
        """
        held = cache.read(rows)
        if held is None:
            return None, None
        found = [tuple(one.shape[1:]) for one in held]
        inner, _, positions = self.conv1d.weight.shape
        needed = [(inner, positions - 1), tuple(self.A_log.shape)]
        if found != needed:
            raise ValueError(
                f"the cache holds states of the shapes {found} for each row, and this Mamba's are {needed}: it is "
                "another model's. Start a new one"
            )
        before, state = held
        return before, state


class MambaBlock(nn.Module):
    """The mixer, on a normalised copy of the residual stream."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.wide = config.residual_in_fp32
        self.norm = RMSNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        self.mixer = MambaMixer(config)

    def forward(self, x: Tensor, real: Tensor | None, cache: StateLayerCache | None) -> Tensor:
        mixed: Tensor = self.mixer(self.norm(x.to(self.norm.weight.dtype)), real, cache)
        return (x.float() if self.wide else x) + mixed


class MambaModel(PreTrainedModel):
    """Embeddings, layers and the last norm."""

    config_class = MambaConfig
    base_model_prefix = "backbone"
    input_embeddings_name = "embeddings"
    weight_table = WeightTable(Former("embedding.weight", "embeddings.weight"))

    def __init__(self, config: MambaConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(MambaBlock(config) for _ in range(config.num_hidden_layers))
        self.norm_f = RMSNorm(config.hidden_size, eps=config.layer_norm_epsilon)

    def init_weights(self, module: nn.Module) -> None:
        """As published: states that fade at rates 1 to N, steps of all sizes in the configured range."""
        super().init_weights(module)
        config: MambaConfig = self.config
        if isinstance(module, MambaMixer):
            module.A_log.copy_(torch.arange(1, config.state_size + 1).log().expand_as(module.A_log))
            module.D.fill_(1.0)
        elif isinstance(module, TimeStep):
            most = config.rank**-0.5 * config.time_step_scale
            module.weight.fill_(most)
            if config.time_step_init_scheme == "random":
                module.weight.uniform_(-most, most)
            low, high = math.log(config.time_step_min), math.log(config.time_step_max)
            steps = torch.empty_like(module.bias).uniform_(low, high).exp().clamp(min=config.time_step_floor)
            module.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # what softplus turns into them
        elif isinstance(module, nn.Conv1d | OntoStream):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if isinstance(module, OntoStream) and config.rescale_prenorm_residual:
                module.weight /= math.sqrt(config.num_hidden_layers)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        cache_params: Cache | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPast:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, T or more), 1 for real tokens and 0 for padding, the new positions last; None where
                nothing is padded.
            position_ids: not looked at; a state knows its order.
            past_key_values: what came before; extended by T. The ecosystem's other name is `cache_params`.
            use_cache: return a cache. When None, as the configuration says, but not in training.
            output_hidden_states: also return the residual stream, (B, T, D), behind each layer, and the normalised end.
            output_attentions: there are none.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or attention weights are asked for.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        if output_attentions or self.config.output_attentions:
            raise ValueError("a Mamba attends to nothing, so it has no attentions to give: leave output_attentions out")
        x: Tensor = self.embeddings(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, D)
        new, cache = x.shape[1], past_key_values if cache_params is None else cache_params
        if cache is None and (use_cache or (use_cache is None and self.config.use_cache and not self.training)):
            cache = self.make_cache()
        if attention_mask is not None and (attention_mask.dim() != 2 or attention_mask.shape[1] < new):
            raise ValueError(
                f"attention_mask has shape {tuple(attention_mask.shape)}: it must be (rows, {new}) or longer"
            )
        real = None if attention_mask is None else attention_mask[:, -new:, None].to(x.dtype)
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        for layer, part in zip(self.layers, [None] * len(self.layers) if cache is None else cache, strict=True):
            x = layer(x, real, part)
            if hidden is not None:
                hidden.append(x)
        x = self.norm_f(x).to(self.norm_f.weight.dtype)
        if cache is not None:
            cache.advance(new)
        return BaseModelOutputWithPast(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
        )


class MambaForCausalLM(CausalLM):
    """Mamba that scores the next token."""

    base_class = MambaModel
    base_model_prefix = "backbone"
    tied_weights = {"lm_head.weight": "backbone.embeddings.weight"}  # noqa: RUF012  read, and never written to
