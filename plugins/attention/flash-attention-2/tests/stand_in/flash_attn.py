"""Stands for the package flash-attn: the signatures of its second generation."""

from flash_stand_in import DETERMINISTIC, ragged, rectangular
from torch import Tensor


def flash_attn_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    alibi_slopes: Tensor | None = None,
    deterministic: bool = False,
    return_attn_probs: bool = False,
) -> Tensor:
    DETERMINISTIC.append(deterministic)
    scale = q.shape[-1] ** -0.5 if softmax_scale is None else softmax_scale
    return rectangular(q, k, v, scale, causal, window_size, softcap, dropout_p)


def flash_attn_varlen_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    alibi_slopes: Tensor | None = None,
    deterministic: bool = False,
    return_attn_probs: bool = False,
    block_table: Tensor | None = None,
) -> Tensor:
    DETERMINISTIC.append(deterministic)
    scale = q.shape[-1] ** -0.5 if softmax_scale is None else softmax_scale
    ends = (cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k)
    return ragged(q, k, v, ends, scale, causal, window_size, softcap, dropout_p)
