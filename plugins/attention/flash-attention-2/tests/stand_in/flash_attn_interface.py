"""Stands for the third generation, which knows no dropout, and whose kernels take heads of a width of 8, 16, 24 and so
on; its first releases gave the masses of the softmax too."""

from flash_stand_in import DETERMINISTIC, ragged, rectangular
from torch import Tensor


def flash_attn_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    softmax_scale: float | None = None,
    causal: bool = False,
    qv: Tensor | None = None,
    q_descale: Tensor | None = None,
    k_descale: Tensor | None = None,
    v_descale: Tensor | None = None,
    window_size: tuple[int, int] = (-1, -1),
    attention_chunk: int = 0,
    softcap: float = 0.0,
    num_splits: int = 1,
    pack_gqa: bool | None = None,
    deterministic: bool = False,
    sm_margin: int = 0,
) -> tuple[Tensor, Tensor]:
    assert q.shape[-1] % 8 == 0
    DETERMINISTIC.append(deterministic)
    scale = q.shape[-1] ** -0.5 if softmax_scale is None else softmax_scale
    return rectangular(q, k, v, scale, causal, window_size, softcap, 0.0), q.sum(-1)


def flash_attn_varlen_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    seqused_q: Tensor | None = None,
    seqused_k: Tensor | None = None,
    softmax_scale: float | None = None,
    causal: bool = False,
    qv: Tensor | None = None,
    q_descale: Tensor | None = None,
    k_descale: Tensor | None = None,
    v_descale: Tensor | None = None,
    window_size: tuple[int, int] = (-1, -1),
    attention_chunk: int = 0,
    softcap: float = 0.0,
    num_splits: int = 1,
    pack_gqa: bool | None = None,
    deterministic: bool = False,
    sm_margin: int = 0,
) -> Tensor:
    assert q.shape[-1] % 8 == 0
    DETERMINISTIC.append(deterministic)
    scale = q.shape[-1] ** -0.5 if softmax_scale is None else softmax_scale
    ends = (cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k)
    return ragged(q, k, v, ends, scale, causal, window_size, softcap, 0.0)
