"""The language model of Qwen2-VL: Qwen2 whose positions are three numbers, by time, height and width."""

from modelry.decoder import RotaryDecoder
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry_qwen2_vl.configuration import Qwen2VLTextConfig
from modelry_qwen2_vl.rope import MultimodalRotaryEmbedding


class Qwen2VLTextModel(RotaryDecoder):
    """Embeddings, layers and the last norm. position_ids are (B, T), or (3, B, T) where pictures stand in the text."""

    config_class = Qwen2VLTextConfig

    def __init__(self, config: Qwen2VLTextConfig) -> None:
        super().__init__(
            config, lambda number: DecoderLayer(config, RotaryAttention(config, bias=True), gated_mlp(config))
        )
        self.rotary_emb = MultimodalRotaryEmbedding(
            config.rope_parameters, head_width=config.head_dim, max_positions=config.max_position_embeddings
        )
