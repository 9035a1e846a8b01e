"""Decoders as torch.export and ONNX want them: with a cache that is plain tensors.

B batch   T new positions   P positions before them   K key/value heads   E head width   V vocabulary
"""

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor, nn

from modelry.cache import Cache, JoinedLayerCache

__all__ = ["DecoderWithCache"]


@final
class DecoderWithCache(nn.Module):
    """A decoder that takes and returns what it remembers as plain tensors, so that it can be exported with its cache.

    Layers that see a window remember everything here; what they may not see is masked.

    Args:
        model: one that scores next tokens and reads nothing but text.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, past_keys: Sequence[Tensor], past_values: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Run the T new positions.

        Args:
            input_ids: (B, T).
            attention_mask: (B, P + T), 1 for real tokens and 0 for padding.
            past_keys: one (B, K, P, E) for each layer; P may be 0.
            past_values: the same.

        Returns:
            Logits (B, T, V), and keys and values of P + T positions.
        """
        pairs = zip(past_keys, past_values, strict=True)
        cache = Cache([JoinedLayerCache(keys, values) for keys, values in pairs])
        cache.seen = past_keys[0].shape[2]
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=True)
        layers: Any = cache.layers
        return out.logits, [layer.keys for layer in layers], [layer.values for layer in layers]
