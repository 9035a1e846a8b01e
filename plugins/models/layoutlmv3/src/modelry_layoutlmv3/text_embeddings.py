"""What a token says, where it stands in the text and on the page: one vector.

B batch   T tokens   D hidden_size
"""

import torch
from torch import Tensor, nn

from modelry.nn.positions import first_rows, row_positions
from modelry_layoutlmv3.configuration import LayoutLMv3Config
from modelry_layoutlmv3.layout import check_boxes


class TextEmbeddings(nn.Module):
    """The sum of word, position, segment and box, normalised."""

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__()
        size, padding, coordinates = config.hidden_size, config.pad_token_id, config.max_2d_position_embeddings
        self.word_embeddings = nn.Embedding(config.vocab_size, size, padding)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size, padding)
        self.x_position_embeddings = nn.Embedding(coordinates, config.coordinate_size)
        self.y_position_embeddings = nn.Embedding(coordinates, config.coordinate_size)
        self.h_position_embeddings = nn.Embedding(coordinates, config.shape_size)
        self.w_position_embeddings = nn.Embedding(coordinates, config.shape_size)
        self.LayerNorm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.padding = padding

    def forward(
        self,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None,
        bbox: Tensor,
        segments: Tensor | None,
        position_ids: Tensor | None,
    ) -> Tensor:
        """(B, T, D). See `LayoutLMv3Model.forward`.

        Raises:
            ValueError: both ids and embeddings, impossible boxes, or too many positions.
        """
        if input_ids is not None and inputs_embeds is not None:
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        words: Tensor = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        rows, new = words.shape[:2]
        check_boxes(bbox, tokens=(rows, new), limit=self.x_position_embeddings.num_embeddings)
        positions = self._positions(input_ids, position_ids, rows=rows, new=new, device=words.device)
        if segments is None:
            kinds = first_rows(self.token_type_embeddings, 1, device=words.device)
        else:
            kinds = self.token_type_embeddings(segments)
        x = words + kinds + self.position_embeddings(positions) + self.box_embeddings(bbox)
        normal: Tensor = self.dropout(self.LayerNorm(x))
        return normal

    def _positions(
        self, input_ids: Tensor | None, given: Tensor | None, *, rows: int, new: int, device: torch.device
    ) -> Tensor:
        """(B, T) rows of the table: those given, or counted over the real tokens, behind the padding's own."""
        limit = self.position_embeddings.num_embeddings
        if given is not None:
            return row_positions(given, new=new, limit=limit, device=device)
        real = torch.ones((rows, new), device=device) if input_ids is None else input_ids != self.padding
        first = self.padding + 1
        counted = real.long().cumsum(-1) * real.long() - 1
        return row_positions(counted, new=new, limit=limit - first, device=device) + first

    def box_embeddings(self, bbox: Tensor) -> Tensor:
        """(B, T, 4) to (B, T, D): left, top, right, bottom, height and width side by side.

        Heights and widths of boxes that end before they begin count as 0.
        """
        left, top, right, bottom = bbox.unbind(-1)
        return torch.cat(
            (
                self.x_position_embeddings(left),
                self.y_position_embeddings(top),
                self.x_position_embeddings(right),
                self.y_position_embeddings(bottom),
                self.h_position_embeddings((bottom - top).clamp(min=0)),
                self.w_position_embeddings((right - left).clamp(min=0)),
            ),
            dim=-1,
        )
