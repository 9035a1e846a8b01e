"""What becomes of parameters and heads, for a number of processes that need not be there."""

import pytest
from torch import nn

from modelry.errors import ParallelError
from modelry.parallel.deciding import decide
from modelry.parallel.parts import Part
from modelry.parallel.plan import named_by, plan_of


def decided(model, size: int, **plan: str):
    names = [*dict(model.named_modules()), *dict(model.named_parameters())]
    plan = {**plan_of(model), **{key.replace("__", "."): word for key, word in plan.items()}}
    words = named_by(plan, names, model="Toy", strict=True)
    return decide(model, words, size)


def test_parts_and_heads(small) -> None:
    model = small()
    found = decided(model, 2)
    layer = model.model.layers[0]
    assert found.parts[id(layer.self_attn.q_proj.weight)] == Part(0)
    assert found.parts[id(layer.self_attn.o_proj.weight)] == Part(1)
    assert found.parts[id(model.lm_head.weight)] == Part(0)
    assert id(layer.input_layernorm.weight) not in found.parts
    assert found.counts["model.layers.0.self_attn"] == {"heads": 2, "kv_heads": 1}
    assert not found.repeated


def test_fewer_key_value_heads_than_processes_are_repeated(small) -> None:
    model = small()
    found = decided(model, 4)
    assert found.counts["model.layers.0.self_attn"] == {"heads": 1, "kv_heads": 1}
    assert found.repeated["model.layers.0.self_attn.k_proj"] == 2
    assert id(model.model.layers[0].self_attn.k_proj.weight) not in found.parts, "whole: processes share its heads"


def test_a_vocabulary_that_cannot_be_divided_stays_whole(small) -> None:
    model = small(vocab_size=25)
    found = decided(model, 2)
    assert id(model.model.embed_tokens.weight) not in found.parts
    assert "lm_head" not in found.words


@pytest.mark.parametrize(
    ("size", "values", "said"),
    [
        (3, {}, r"self_attn has 4 heads, which 3 processes"),
        (
            2,
            {"num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 4},
            "3 key/value heads, which 2 processes",
        ),
        (2, {"intermediate_size": 25}, r"mlp\.\w+\.weight is \(\d+, \d+\): 25 cannot be divided .* over 2"),
    ],
)
def test_numbers_that_do_not_divide_are_named(small, size: int, values: dict[str, int], said: str) -> None:
    with pytest.raises(ParallelError, match=said):
        decided(small(**values), size)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"model__norm": "colwise"}, "model.norm, which is a RMSNorm and no Linear"),
        ({"lm_head": "embedding_rowwise"}, "lm_head, which is a Linear and no Embedding"),
        ({"model__norm__weight": "moe_tp_experts"}, "model.norm.weight is a parameter"),
        ({"lm_head": "qkv_colwise"}, "26 in 3 pieces cannot be divided .* over 2"),
    ],
)
def test_words_that_do_not_fit_are_refused(small, plan: dict[str, str], said: str) -> None:
    with pytest.raises(ParallelError, match=said):
        decided(small(vocab_size=26), 2, **plan)


def test_a_layer_with_an_adapter_is_refused(small) -> None:
    class Adapted(nn.Module):
        def __init__(self, base_layer: nn.Module) -> None:
            super().__init__()
            self.base_layer = base_layer

    model = small()
    attention = model.model.layers[0].self_attn
    attention.q_proj = Adapted(attention.q_proj)
    with pytest.raises(ParallelError, match=r"layers\.0\.self_attn\.q_proj carries an adapter .*\(DDP\) or with fsdp"):
        decided(model, 2)
