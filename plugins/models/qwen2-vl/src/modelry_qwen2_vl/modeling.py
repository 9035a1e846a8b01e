"""Qwen2-VL: images and videos of any size as vectors in the places that a text keeps for them.

B rows   T new positions   S all positions, cached ones included   I pictures of all rows   N patches of all pictures
P parts of all pictures, squares of patches   D width of the language model
Paper: https://arxiv.org/abs/2409.12191.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.cache import Cache
from modelry.checkpoint.weight_table import Former, Rename, WeightTable
from modelry.configuration import ModelConfig
from modelry.generation.other_inputs import pictures_of_rows
from modelry.heads import CausalLM
from modelry.model import PreTrainedModel
from modelry.nn.positions import count_positions
from modelry.outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from modelry_qwen2_vl.configuration import Qwen2VLConfig
from modelry_qwen2_vl.positions import KINDS, token_positions
from modelry_qwen2_vl.text import Qwen2VLTextModel
from modelry_qwen2_vl.vision import Qwen2VisionTransformerPretrainedModel


class Qwen2VLModel(PreTrainedModel):
    """Encoder of pictures and language model."""

    config_class = Qwen2VLConfig
    base_model_prefix = "model"
    input_embeddings_name = "language_model.embed_tokens"
    weight_table = WeightTable(  # what the files of the whole model, which have no such part, leave of the names
        Former("embed_tokens.weight", "language_model.embed_tokens.weight"),
        Former("layers.{i}.{rest}", "language_model.layers.{i}.{rest}"),
        Former("norm.weight", "language_model.norm.weight"),
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        values: Qwen2VLConfig = self.config
        self.visual = Qwen2VisionTransformerPretrainedModel(values.vision_config)
        self.language_model = Qwen2VLTextModel(values.text_config)

    def get_image_features(self, pixel_values: Tensor, image_grid_thw: Tensor | None = None) -> Tensor:
        """What the language model sees of pictures, (P, D).

        Args:
            pixel_values: (N, values of a patch).
            image_grid_thw: (I, 3) frames, rows and columns of patches.

        Raises:
            ValueError: they do not fit each other.
        """
        if image_grid_thw is None:
            raise ValueError("pixel values come with a grid: image_grid_thw of images, video_grid_thw of videos")
        features: Tensor = self.visual(pixel_values, image_grid_thw).pooler_output
        return features

    get_video_features = get_image_features

    def place(self, x: Tensor, places: Tensor, features: Tensor, kind: int) -> Tensor:
        """Put parts of pictures into the places that are kept for them, in order.

        Args:
            x: (B, T, D), the text's vectors.
            places: (B, T) bool.
            features: (P, D).

        Raises:
            ValueError: there are more or fewer places than parts.
        """
        if not torch.compiler.is_compiling() and int(places.sum()) != features.shape[0]:
            raise ValueError(
                f"the text has {int(places.sum())} {KINDS[kind]} tokens and the {KINDS[kind]} inputs "
                f"{features.shape[0]} parts: prepare both in one call of the processor"
            )
        return x.masked_scatter(places[..., None].to(x.device), features.to(x.device, x.dtype))

    def kinds(self, input_ids: Tensor | None, x: Tensor, mm_token_type_ids: Tensor | None) -> Tensor:
        """(B, T): 1 where a part of an image stands, 2 where one of a video, 0 elsewhere.

        By the ids; where they are not known, as mm_token_type_ids say, else by the placeholders' vectors. What stands
        behind those that mm_token_type_ids speak of was written by the model, and is text.
        """
        tokens = self.config.image_token_id, self.config.video_token_id
        if input_ids is None and mm_token_type_ids is not None:
            return mm_token_type_ids[:, : x.shape[1]]
        if input_ids is None:
            vectors = self.get_input_embeddings()(torch.tensor(tokens, device=x.device))
            image, video = ((x == vector).all(-1) for vector in vectors)
        else:
            image, video = (input_ids == token for token in tokens)
        kinds: Tensor = image.long() + 2 * video.long()
        if mm_token_type_ids is not None:
            kinds[:, mm_token_type_ids.shape[1] :] = 0
        return kinds

    def count(
        self, kinds: Tensor, grids: Mapping[int, Tensor | None], attention_mask: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        """Positions (3, B, T) of new tokens among which pictures stand, and (B, 1) how far their count then lies off.

        Args:
            kinds: (B, T).
            attention_mask: (B, S), or None.
        """
        rows, new = kinds.shape
        seen, off = (0, None) if cache is None else (cache.seen, cache.shift)
        off = kinds.new_zeros(rows, 1) if off is None or seen == 0 else off
        real = None if attention_mask is None else attention_mask[:, seen:]
        before = kinds.new_full((rows,), seen) if attention_mask is None else attention_mask[:, :seen].sum(-1)
        total = before + (new if real is None else real.sum(-1))
        merge = self.config.vision_config.spatial_merge_size
        positions, ends = token_positions(kinds, grids, real, before + off[:, 0], merge=merge)
        return positions, (ends - total)[:, None]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        pixel_values: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        image_grid_thw: Tensor | None = None,
        video_grid_thw: Tensor | None = None,
        mm_token_type_ids: Tensor | None = None,
        image_features: Tensor | None = None,
        video_features: Tensor | None = None,
        **more: Any,
    ) -> BaseModelOutputWithPast:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, S), 0 at padding; None where nothing is padded.
            position_ids: (3, B, T) by time, height and width, or (B, T). Where grids are given, only the former
                count: otherwise positions follow from the grids.
            past_key_values: what came before. It also remembers by how much pictures have put positions off.
            pixel_values: (N, values of a patch) of the images whose places are among the new positions.
            pixel_values_videos: the same of videos.
            image_grid_thw: (I, 3) frames, rows and columns of patches of each image.
            video_grid_thw: the same of videos.
            mm_token_type_ids: (B, T) 1 for parts of images and 2 for those of videos; read where there are no ids.
            image_features: (P, D) in place of pixel_values, as `get_image_features` gives them.
            video_features: the same of videos.
            more: and the others: those of the language model.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or pictures that do not fit their places.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        x: Tensor = self.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        cache, shift = past_key_values, None
        if image_features is None and pixel_values is not None:
            image_features = self.get_image_features(pixel_values, image_grid_thw)
        if video_features is None and pixel_values_videos is not None:
            video_features = self.get_video_features(pixel_values_videos, video_grid_thw)
        features = {1: image_features, 2: video_features}
        grids = {1: image_grid_thw, 2: video_grid_thw}
        if any(one is not None for one in (*features.values(), *grids.values())):
            kinds = self.kinds(input_ids, x, mm_token_type_ids)
            for kind, parts in features.items():
                if parts is not None:
                    x = self.place(x, kinds == kind, parts, kind)
            if (position_ids is None or position_ids.dim() == 2) and any(one is not None for one in grids.values()):
                position_ids, shift = self.count(kinds, grids, attention_mask, cache)
        if position_ids is None and cache is not None and cache.shift is not None and cache.seen:
            counted = count_positions(attention_mask, new=x.shape[1], seen=cache.seen, device=x.device)
            position_ids, shift = counted + cache.shift, cache.shift
        out: BaseModelOutputWithPast = self.language_model(
            inputs_embeds=x,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=use_cache,
            **more,
        )
        held = out.past_key_values
        if isinstance(held, Cache) and (shift is not None or held.seen == x.shape[1]):
            held.shift = shift
        return out


class Qwen2VLForConditionalGeneration(CausalLM):
    """Qwen2-VL that scores the next token."""

    model: Qwen2VLModel
    base_class = Qwen2VLModel
    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "model.language_model.embed_tokens.weight"}
    weight_table = WeightTable(
        Rename("visual.{rest}", "model.visual.{rest}"),
        Rename("model.embed_tokens.{rest}", "model.language_model.embed_tokens.{rest}"),
        Rename("model.layers.{rest}", "model.language_model.layers.{rest}"),
        Rename("model.norm.{rest}", "model.language_model.norm.{rest}"),
    )

    def get_image_features(self, pixel_values: Tensor, image_grid_thw: Tensor | None = None) -> Tensor:
        """See `Qwen2VLModel`."""
        return self.model.get_image_features(pixel_values, image_grid_thw)

    get_video_features = get_image_features

    def forward(  # type: ignore[override]  # the ecosystem's order of arguments
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        pixel_values: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        image_grid_thw: Tensor | None = None,
        video_grid_thw: Tensor | None = None,
        mm_token_type_ids: Tensor | None = None,
        image_features: Tensor | None = None,
        video_features: Tensor | None = None,
        **more: Any,
    ) -> CausalLMOutputWithPast:
        """Score the next token at each position, or at the ones asked for.

        Args:
            pixel_values: and the others of pictures: see `Qwen2VLModel`.
            more: and the others: see `CausalLM`.
        """
        out = super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            pixel_values=pixel_values,
            pixel_values_videos=pixel_values_videos,
            image_grid_thw=image_grid_thw,
            video_grid_thw=video_grid_thw,
            mm_token_type_ids=mm_token_type_ids,
            image_features=image_features,
            video_features=video_features,
            **more,
        )
        assert isinstance(out, CausalLMOutputWithPast)
        return out

    def inputs_of_rows(self, inputs: Mapping[str, Any], ids: Tensor, rows: Tensor) -> dict[str, Any]:
        """See `modelry.generation.other_inputs`: pictures of all rows lie one behind the other."""
        found = dict(inputs)
        types = inputs.get("mm_token_type_ids")
        kinds = self.model.kinds(ids, ids, types)
        squares = self.config.vision_config.spatial_merge_size**2
        for kind, (grid, pixels, features) in _INPUTS.items():
            if inputs.get(grid) is None:
                continue
            patches: list[int] = inputs[grid].prod(-1).tolist()
            parts = [one // squares for one in patches]
            order = pictures_of_rows((kinds == kind).sum(-1).tolist(), parts, rows.tolist())
            if not order:  # the rows that had some have left
                found |= {grid: None, pixels: None, features: None}
                continue
            found[grid] = inputs[grid][order]
            for name, lengths in ((pixels, patches), (features, parts)):
                if inputs.get(name) is not None:
                    apart = inputs[name].split(lengths)
                    found[name] = torch.cat([inputs[name][:0], *(apart[number] for number in order)])
        if types is not None:
            found["mm_token_type_ids"] = types[rows]
        return found


_INPUTS = {
    1: ("image_grid_thw", "pixel_values", "image_features"),
    2: ("video_grid_thw", "pixel_values_videos", "video_features"),
}
"""Names of a kind's inputs."""
