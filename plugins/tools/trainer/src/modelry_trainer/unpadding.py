"""A padded batch as one row of its texts without the padding: the same loss and gradients, for less work.

R rows   T positions   N real tokens
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.heads import CausalLM
from modelry.heads.losses import IGNORED
from modelry.model import PreTrainedModel
from modelry.nn.float32_product import ROWS
from modelry.nn.processor import has_bfloat16_lanes
from modelry_trainer.accumulation import unwrapped

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

READ = {"input_ids", "attention_mask", "labels"}
WORTH = 1 / 16
"""Padding that is less of a batch than this stays."""


def keeps_texts_apart(model: nn.Module, args: "TrainingArguments") -> bool:
    """Whether the model's loss is the same of texts that share a row, and it is no slower there: on the CPU, where
    attention goes text by text. Noise by the length of a row, and tokens that an adapter puts before it, see the rows.
    """
    inner = unwrapped(model)
    adapter = getattr(model, "active_peft_config", None)
    return (
        isinstance(inner, CausalLM)
        and type(inner).forward is CausalLM.forward
        and isinstance(inner.base_model, PreTrainedModel)
        and inner.base_model.reads_packed
        and inner.attn_implementation == "sdpa"
        and inner.device.type == "cpu"
        and not getattr(adapter, "is_prompt_learning", False)
        and not args.neftune_noise_alpha
        and not args.torch_compile
    )


def without_padding(batch: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same texts one behind the other.

    Args:
        batch: arguments of forward.

    Returns:
        (1, N) of each, positions and the text of each token with them; where the processor likes numbers of rows that
        come again (`modelry.nn.float32_product`), N is a multiple, and the last text is there for that. None where the
        batch has other arguments, next to no padding, padding that is not at the end of its rows, or a label there.
    """
    if set(batch) != READ or not all(isinstance(one, Tensor) and one.dim() == 2 for one in batch.values()):
        return None
    ids, real, labels = batch["input_ids"], batch["attention_mask"].bool(), batch["labels"]
    if not ids.shape == real.shape == labels.shape or bool((batch["attention_mask"] > 1).any()):
        return None
    if real.numel() - int(real.sum()) < WORTH * real.numel():
        return None
    at_the_end = bool(real[:, 0].all()) and not bool((real[:, 1:] & ~real[:, :-1]).any())
    if not at_the_end or bool((labels[~real] != IGNORED).any()):
        return None
    rows, columns = real.nonzero(as_tuple=True)  # (N,) each
    first = torch.where(columns == 0, IGNORED, labels[real])  # which the text before must not guess
    found = {"input_ids": ids[real], "labels": first, "position_ids": columns, "attention_mask": rows + 1}
    more = -len(rows) % (2 * ROWS) if has_bfloat16_lanes() else 0  # batches differ, and each number costs memory
    fills = {"labels": IGNORED, "attention_mask": len(ids) + 1}
    return {name: F.pad(one, (0, more), value=fills.get(name, 0))[None] for name, one in found.items()}
