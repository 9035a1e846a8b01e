"""TrOCR's decoder: a text so far and an image encoder's states in, scores of the next token out.

Li et al. 2021, https://arxiv.org/abs/2109.10282. The layers are those of modelry.nn.encoder_decoder; the encoder is any
image encoder's, see the vision-encoder-decoder family.
"""

from collections.abc import Mapping
from typing import ClassVar

from modelry.checkpoint.weight_table import WeightTable
from modelry.configuration import ModelConfig
from modelry.heads.decoder_lm import DecoderLM
from modelry.heads.seq2seq_stacks import TextDecoder
from modelry_trocr.configuration import TrOCRConfig
from modelry_trocr.positions import SinusoidalPositions


class TrOCRDecoder(TextDecoder):
    """Layers that normalise behind each block, over learned or computed positions."""

    config_class: ClassVar[type[ModelConfig]] = TrOCRConfig
    unread = ("embed_positions._float_tensor",)  # of files with computed positions: an empty mark of their dtype

    def __init__(self, config: TrOCRConfig) -> None:
        positions = None
        if not config.use_learned_position_embeddings:
            assert config.pad_token_id is not None  # checked by the configuration
            positions = SinusoidalPositions(config.d_model, padding=config.pad_token_id)
        super().__init__(
            config,
            norm_first=False,
            positions=positions,
            embedding_norm=config.layernorm_embedding,
            source=config.cross_attention_hidden_size,
        )


class TrOCRForCausalLM(DecoderLM):
    """TrOCR's decoder, alone or over an encoder."""

    base_class = TrOCRDecoder
    output_embeddings_name = "output_projection"
    tied_weights: ClassVar[Mapping[str, str]] = {"output_projection.weight": "model.decoder.embed_tokens.weight"}
    weight_table: ClassVar[WeightTable | None] = None
    unread: ClassVar[tuple[str, ...]] = ()
