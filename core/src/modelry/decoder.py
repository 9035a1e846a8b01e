"""The base model of decoders with rotary positions: token ids in, hidden states out. A family says what a layer is.

B batch   T new positions   S all positions, cached ones included   W keys that a layer attends to, S or a little more
D width of the residual stream   H query heads
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.model import PreTrainedModel
from modelry.nn.decoder_config import FULL, SLIDING, RotaryDecoderConfig
from modelry.nn.masks import Mask, causal_mask
from modelry.nn.norm import RMSNorm
from modelry.nn.positions import count_positions
from modelry.nn.rope import RotaryEmbedding
from modelry.nn.texts import numbered_texts
from modelry.outputs import BaseModelOutputWithPast


class RotaryDecoder(PreTrainedModel):
    """Token embeddings, layers, a last norm.

    Layers that `config.layer_types` calls "sliding_attention" see `config.sliding_window` positions, others all.

    Args:
        config: its sizes.
        layer: number of a layer -> the layer, called as `modelry.nn.decoder_layer.DecoderLayer` is.
    """

    config_class = RotaryDecoderConfig
    reads_packed: ClassVar[bool] = True

    def __init__(self, config: RotaryDecoderConfig, layer: Callable[[int], nn.Module]) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(layer(number) for number in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = RotaryEmbedding(
            config.rope_parameters, head_width=config.head_dim, max_positions=config.max_position_embeddings
        )
        types: list[str] = getattr(config, "layer_types", None) or [""] * config.num_hidden_layers
        window: int | None = getattr(config, "sliding_window", None)
        self.windows = tuple(window if type_ == SLIDING else None for type_ in types)
        """Positions that each layer sees, None for all."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | Mapping[str, Tensor] | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **more: Any,
    ) -> BaseModelOutputWithPast:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, S), 1 for real tokens and 0 for padding, or numbers of texts; None where nothing is
                padded; or a pattern (B or 1, 1, T, S) bool for the layers of each type, by the type's name.
            position_ids: (B, T); counted from each text's first token when None. Without a mask and a cache, those
                that do not go on by one begin a text.
            past_key_values: what came before; extended by T.
            use_cache: return a cache, a new one where none is given. When None, as the configuration says, but not
                in training.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and at the end.
            output_attentions: also return each layer's weights, (B, H, T, W); needs the eager attention.
            more: for every layer; and where the texts of one row end (`modelry.nn.texts`).

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or a mask of another shape.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        x: Tensor = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, D)
        cache, new = past_key_values, x.shape[1]
        if cache is None and (use_cache or (use_cache is None and self.config.use_cache and not self.training)):
            cache = self.make_cache()
        seen = 0 if cache is None else cache.seen
        patterns = attention_mask if isinstance(attention_mask, Mapping) else None
        attention_mask = numbered_texts(
            None if isinstance(attention_mask, Mapping) else attention_mask,
            position_ids,
            more,
            shape=(x.shape[0], new),
            seen=seen,
            device=x.device,
        )
        if position_ids is None:
            position_ids = count_positions(attention_mask, new=new, seen=seen, device=x.device)
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        angles, device = self.rotary_emb(position_ids, x.dtype), x.device  # layers may lie on several
        masks: list[tuple[tuple[int | None, int, int], Mask]] = []  # layers that see alike share one
        parts = [None] * len(self.layers) if cache is None else cache
        windows = self.windows[: len(self.layers)]  # a draft may be the first layers alone
        for layer, part, window in zip(self.layers, parts, windows, strict=True):
            first, width = (0, new) if part is None else (part.first_after(new), part.width_after(new))
            mask = next((made for sees, made in masks if sees == (window, first, width)), None)  # some have no hash
            if mask is None:
                given = attention_mask if patterns is None else patterns[FULL if window is None else SLIDING]
                said = {"new": new, "seen": seen, "first": first, "width": width, "window": window}
                mask = causal_mask(given, **said, device=device, weights=weights)  # type: ignore[arg-type]  # no weights in it
                masks.append(((window, first, width), mask))
            if hidden is not None:
                hidden.append(x)
            x = layer(x, angles, mask, part, **more)
        x = self.norm(x)
        if cache is not None:
            cache.advance(new)
        return BaseModelOutputWithPast(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
            attentions=None if weights is None else tuple(weights),
        )
