"""Mask2Former: pixel values in, a mask and a class for each of some queries out, over a backbone of any family.

B images   H, W height and width in pixels   F channels of the pixel decoder   C of the finest map   Q queries
D width of the queries   K classes   S places of a map that queries look at
Paper: https://arxiv.org/abs/2112.01527.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modelry import AutoBackbone
from modelry.checkpoint import Split, WeightTable
from modelry.model import PreTrainedModel
from modelry.nn.kept import Kept
from modelry.nn.linear import Linear
from modelry.nn.plane_positions import plane_positions
from modelry.nn.positions import first_rows
from modelry_mask2former.configuration import LEVELS, Mask2FormerConfig
from modelry_mask2former.losses import Mask2FormerLoss, Prediction, checked_labels
from modelry_mask2former.masked_decoder import Decoded, Level, Mask2FormerMaskedDecoder
from modelry_mask2former.outputs import Mask2FormerForUniversalSegmentationOutput, Mask2FormerModelOutput
from modelry_mask2former.pixel_decoder import Mask2FormerPixelDecoder
from modelry_mask2former.started_linear import StartedLinear

CROSS = "transformer_module.decoder.layers.{i}.cross_attn."


class Mask2FormerPixelLevelModule(nn.Module):
    """The backbone, and the pixel decoder over its feature maps."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        self.encoder = AutoBackbone.from_config(config.backbone_config)
        self.decoder = Mask2FormerPixelDecoder(config, self.encoder.config.channels)


class Mask2FormerTransformerModule(nn.Module):
    """The queries, and the decoder that they pass."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        width = config.hidden_dim
        projected = config.feature_size != width or config.enforce_input_projection
        self.queries_embedder = nn.Embedding(config.num_queries, width)
        self.queries_features = nn.Embedding(config.num_queries, width)
        self.input_projections = nn.ModuleList(
            nn.Conv2d(config.feature_size, width, kernel_size=1) if projected else nn.Identity() for _ in range(LEVELS)
        )
        self.level_embed = nn.Embedding(LEVELS, width)
        self.decoder = Mask2FormerMaskedDecoder(config)

    def forward(self, maps: Sequence[Tensor], finest: Tensor, weights: Kept | None) -> Decoded:
        """Three maps (B, F, G, K), the coarsest first, and the finest, (B, C, G, K).

        Args:
            weights: see `Mask2FormerMaskedDecoder`.
        """
        levels, device = [], finest.device
        marks = first_rows(self.level_embed, device=device)
        for one, project, level in zip(maps, self.input_projections, marks, strict=True):
            extent = (one.shape[2], one.shape[3])
            values = project(one).flatten(2).transpose(1, 2) + level  # (B, S, D)
            plane = plane_positions(torch.ones(1, *extent, device=one.device), width=values.shape[2])
            levels.append(Level(values, plane.flatten(2).transpose(1, 2).to(values.dtype), extent))
        queries = first_rows(self.queries_features, device=device).expand(finest.shape[0], -1, -1)
        decoded: Decoded = self.decoder(
            queries, first_rows(self.queries_embedder, device=device)[None], levels, finest, weights
        )
        return decoded

    def spread(self) -> list[nn.Module]:
        """What starts so that signals keep their variance. https://proceedings.mlr.press/v9/glorot10a.html."""
        return [*self.input_projections, *self.decoder.layers.modules()]


class Mask2FormerModel(PreTrainedModel):
    """The backbone, the pixel decoder and the queries."""

    config_class = Mask2FormerConfig
    base_model_prefix = "model"
    main_input_name = "pixel_values"
    attention_needs = ("patterns",)
    optional_parts = ("pixel_level_module.encoder.layernorm.",)  # older files do not have it, and nothing uses it
    weight_table = WeightTable(
        *(
            Split(f"{CROSS}in_proj_{kind}", tuple(f"{CROSS}{one}_proj.{kind}" for one in "qkv"))
            for kind in ("weight", "bias")
        )
    )

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__(config)
        self.pixel_level_module = Mask2FormerPixelLevelModule(config)
        self.transformer_module = Mask2FormerTransformerModule(config)

    def get_input_embeddings(self) -> nn.Module:
        found: nn.Module = self.pixel_level_module.encoder.get_input_embeddings()
        return found

    def init_weights(self, module: nn.Module) -> None:
        """Queries and levels start far apart, layers of the decoders as each says."""
        if isinstance(module, StartedLinear):
            module.start(module)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
        elif isinstance(module, Mask2FormerPixelDecoder):
            nn.init.normal_(module.level_embed)
        elif isinstance(module, nn.Linear | nn.Conv2d) and module in self.transformer_module.spread():
            super().init_weights(module)
            nn.init.xavier_uniform_(module.weight, gain=self.config.init_xavier_std)
        else:
            super().init_weights(module)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Mask2FormerModelOutput:
        """Run the images.

        Args:
            pixel_values: (B, channels, H, W).
            pixel_mask: (B, H, W), as image processors make it. As published it changes nothing: padding is looked at.
            output_hidden_states: also return the maps, and the states of the queries.
            output_attentions: also return the weights of the queries' attention to each other; needs the eager
                attention.

        Raises:
            ValueError: images with other channels or too small, or a mask of another size.
        """
        _check_mask(pixel_mask, pixel_values)
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        weigh = self.config.output_attentions if output_attentions is None else output_attentions
        weights = Kept() if weigh else None
        maps = self.pixel_level_module.encoder(pixel_values=pixel_values).feature_maps
        finest, coarse = self.pixel_level_module.decoder(maps)
        decoded: Decoded = self.transformer_module(coarse, finest, weights)
        return Mask2FormerModelOutput(
            encoder_last_hidden_state=maps[-1],
            pixel_decoder_last_hidden_state=finest,
            transformer_decoder_last_hidden_state=decoded.last,
            encoder_hidden_states=tuple(maps) if keep else None,
            pixel_decoder_hidden_states=tuple(coarse) if keep else None,
            transformer_decoder_hidden_states=_queries_first(decoded.hidden) if keep else None,
            transformer_decoder_intermediate_states=_queries_first(decoded.normal) if keep else None,
            masks_queries_logits=tuple(decoded.masks),
            attentions=None if weights is None else tuple(weights),
        )


class Mask2FormerForUniversalSegmentation(PreTrainedModel):
    """Mask2Former with a class for each query. Masks and classes become segments in the image processor."""

    base_class = Mask2FormerModel
    base_model_prefix = "model"
    main_input_name = "pixel_values"

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__(config)
        self.model = Mask2FormerModel(config)
        self.class_predictor = Linear(config.hidden_dim, config.num_labels + 1)
        self.criterion = Mask2FormerLoss(config)

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def forward(
        self,
        pixel_values: Tensor | None = None,
        mask_labels: Sequence[Tensor] | None = None,
        class_labels: Sequence[Tensor] | None = None,
        pixel_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_auxiliary_logits: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Mask2FormerForUniversalSegmentationOutput:
        """Predict masks (B, Q, ...) and their classes (B, Q, K + 1).

        Args:
            pixel_values, pixel_mask, output_hidden_states, output_attentions: as of the base model.
            mask_labels: (objects, H, W) of each image, 1 on the object.
            class_labels: (objects,) int64 of each image.
            output_auxiliary_logits: also return what earlier layers predicted.

        Raises:
            ValueError: labels that do not go with each other or with the images.
        """
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        out = self.model(pixel_values, pixel_mask, output_hidden_states=True, output_attentions=output_attentions)
        predictions = [
            Prediction(masks, self.class_predictor(normal.transpose(0, 1)))
            for masks, normal in zip(out.masks_queries_logits, out.transformer_decoder_intermediate_states, strict=True)
        ]
        last, earlier = predictions[-1], predictions[:-1]
        loss = None
        if mask_labels is not None or class_labels is not None:
            labels = checked_labels(mask_labels, class_labels, last)
            loss = self.criterion([last, *(earlier if self.config.use_auxiliary_loss else ())], *labels)
        show = self.config.output_auxiliary_logits if output_auxiliary_logits is None else output_auxiliary_logits
        return Mask2FormerForUniversalSegmentationOutput(
            loss=loss,
            class_queries_logits=last.classes,
            masks_queries_logits=last.masks,
            auxiliary_logits=[
                {"masks_queries_logits": one.masks, "class_queries_logits": one.classes} for one in earlier
            ]
            if show
            else None,
            encoder_last_hidden_state=out.encoder_last_hidden_state,
            pixel_decoder_last_hidden_state=out.pixel_decoder_last_hidden_state,
            transformer_decoder_last_hidden_state=out.transformer_decoder_last_hidden_state,
            encoder_hidden_states=out.encoder_hidden_states if keep else None,
            pixel_decoder_hidden_states=out.pixel_decoder_hidden_states if keep else None,
            transformer_decoder_hidden_states=out.transformer_decoder_hidden_states if keep else None,
            attentions=out.attentions,
        )


def _queries_first(states: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """(B, Q, D) as it is published, (Q, B, D)."""
    return tuple(one.transpose(0, 1) for one in states)


def _check_mask(pixel_mask: Tensor | None, pixel_values: Tensor | None) -> None:
    if pixel_mask is None or pixel_values is None:
        return
    if pixel_mask.shape != (pixel_values.shape[0], *pixel_values.shape[2:]):
        raise ValueError(
            f"pixel_mask has shape {tuple(pixel_mask.shape)} and pixel_values {tuple(pixel_values.shape)}: (images, "
            "height, width) of these is needed"
        )
