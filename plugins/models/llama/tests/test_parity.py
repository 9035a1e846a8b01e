"""Llama computes what an independent implementation (transformers) computes, in float32, on tiny random models."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from modelry.nn.fuse import fuse_projections
from modelry_llama import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForQuestionAnswering,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaModel,
)

SMALL: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
EIGHT = [1.0, 1.1, 1.3, 1.9]
ROPES: dict[str, dict[str, Any]] = {
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
    "yarn": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16},
    "yarn-numbers": {
        "rope_type": "yarn",
        "rope_theta": 5000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 16,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "mscale": 0.7,
        "mscale_all_dim": 1.1,
        "truncate": False,
    },
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 500.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
    "longrope": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "short_factor": EIGHT,
        "long_factor": [2.0, 3.0, 4.0, 6.0],
        "original_max_position_embeddings": 16,
    },
}
GRID: dict[str, dict[str, Any]] = {
    "grouped": {},
    "one-kv-head": {"num_key_value_heads": 1},
    "ungrouped": {"num_key_value_heads": 4},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "tied": {"tie_word_embeddings": True},
    "head-width": {"head_dim": 12},
    "theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    **{f"rope-{name}": {"rope_parameters": rope} for name, rope in ROPES.items()},
}


def pair(ours: type, theirs: type, folder: Path, **changes: Any) -> tuple[Any, Any]:
    """Their random model, and ours with what theirs saved."""
    torch.manual_seed(0)
    reference = theirs(transformers.LlamaConfig(**{**SMALL, **changes})).eval()
    with torch.no_grad():
        for parameter in reference.parameters():  # biases and norms start at 0 and 1, which would hide mistakes
            parameter.add_(torch.randn_like(parameter) * 0.05)
    reference.save_pretrained(folder)
    model = ours(LlamaConfig.from_pretrained(folder)).eval()
    stored = load_file(folder / "model.safetensors")
    missing, unexpected = model.load_state_dict(stored, strict=False)
    assert not unexpected
    assert missing == (["lm_head.weight"] if reference.config.tie_word_embeddings else [])
    return model, reference


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0.0)


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(3, SMALL["vocab_size"], (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("case", GRID)
def test_logits(case: str, attention: str, tmp_path: Path) -> None:
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path, **GRID[case])
    model.set_attn_implementation(attention)
    with torch.no_grad():
        for length in (7, 50):  # the second is beyond the original length of yarn, llama3 and longrope
            close(model(ids(2, length)).logits, reference(ids(2, length)).logits)


@pytest.mark.parametrize("case", GRID)
def test_prefill_in_chunks_second_turn_and_single_steps(case: str, tmp_path: Path) -> None:
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path, **GRID[case])
    tokens = ids(2, 40)
    cuts = ((0, 9), (9, 10), (10, 25), (25, 26), (26, 27), (27, 40))
    ours, theirs = None, transformers.DynamicCache(config=reference.config)
    with torch.no_grad():
        for start, end in cuts:
            out = model(tokens[:, start:end], past_key_values=ours, use_cache=True)
            ours = out.past_key_values
            expected = reference(tokens[:, start:end], past_key_values=theirs, use_cache=True).logits
            close(out.logits, expected)
    assert ours is not None
    assert ours.get_seq_length() == 40


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("case", ["grouped", "biases", "rope-yarn", "head-width"])
def test_left_padding_then_steps(case: str, fused: bool, tmp_path: Path) -> None:
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path, **GRID[case])
    if fused:
        assert fuse_projections(model) == 2 * SMALL["num_hidden_layers"]
    tokens, mask = ids(3, 12), torch.ones(3, 12, dtype=torch.long)
    for row, padding in enumerate((0, 5, 11)):
        tokens[row, :padding], mask[row, :padding] = 0, 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    ours, theirs = None, transformers.DynamicCache(config=reference.config)
    with torch.inference_mode():
        for _ in range(3):
            new = tokens[:, -12 if ours is None else -1 :]
            here = positions[:, -new.shape[1] :]
            out = model(new, attention_mask=mask, past_key_values=ours, use_cache=True)
            ours = out.past_key_values
            expected = reference(
                new, attention_mask=mask, position_ids=here, past_key_values=theirs, use_cache=True
            ).logits
            real = mask[:, -new.shape[1] :].bool()
            close(out.logits[real], expected[real])
            assert torch.isfinite(out.logits).all()
            tokens = torch.cat((tokens, expected[:, -1:].argmax(-1)), -1)
            mask = torch.cat((mask, torch.ones(3, 1, dtype=torch.long)), -1)
            positions = torch.cat((positions, positions[:, -1:] + 1), -1)


def test_right_padding(tmp_path: Path) -> None:
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path)
    tokens, mask = ids(2, 10), torch.ones(2, 10, dtype=torch.long)
    tokens[1, 6:], mask[1, 6:] = 0, 0
    with torch.no_grad():
        ours, theirs = model(tokens, attention_mask=mask).logits, reference(tokens, attention_mask=mask).logits
    close(ours[mask.bool()], theirs[mask.bool()])


def test_hidden_states_attentions_and_the_base_model(tmp_path: Path) -> None:
    model, reference = pair(LlamaModel, transformers.LlamaModel, tmp_path)
    model.set_attn_implementation("eager")
    reference.set_attn_implementation("eager")
    with torch.no_grad():
        ours = model(ids(2, 9), output_hidden_states=True, output_attentions=True)
        theirs = reference(ids(2, 9), output_hidden_states=True, output_attentions=True)
    close(ours.last_hidden_state, theirs.last_hidden_state)
    assert len(ours.hidden_states) == len(theirs.hidden_states)
    assert len(ours.attentions) == len(theirs.attentions)
    for one, other in zip(ours.hidden_states + ours.attentions, theirs.hidden_states + theirs.attentions, strict=True):
        close(one, other)


def test_embeddings_as_input_and_logits_to_keep(tmp_path: Path) -> None:
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path)
    embeds = torch.randn(2, 8, SMALL["hidden_size"], generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for keep in (0, 1, 3, 99, torch.tensor([0, 4])):
            if isinstance(keep, int) and keep == 99:
                assert model(inputs_embeds=embeds, logits_to_keep=keep).logits.shape[1] == 8
                continue
            ours = model(inputs_embeds=embeds, logits_to_keep=keep).logits
            close(ours, reference(inputs_embeds=embeds, logits_to_keep=keep).logits)


@pytest.mark.parametrize("items", [None, 5, torch.tensor(7)])
def test_loss_of_the_next_token_and_its_gradients(items: Any, tmp_path: Path) -> None:
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path, attention_bias=True)
    labels = ids(2, 9)
    labels[0, :4] = -100
    model.train()
    reference.train()
    ours = model(ids(2, 9), labels=labels, num_items_in_batch=items)
    theirs = reference(ids(2, 9), labels=labels, num_items_in_batch=items)
    close(ours.loss, theirs.loss)
    ours.loss.backward()
    theirs.loss.backward()
    expected = dict(reference.named_parameters())
    for name, parameter in model.named_parameters():
        close(parameter.grad, expected[name].grad)


CLASSES = {
    "single": (5, None, torch.tensor([4, 0, 2])),
    "regression": (1, None, torch.tensor([0.5, -1.0, 2.0])),
    "several-regressions": (2, "regression", torch.tensor([[0.5, 1.0], [-1.0, 0.0], [2.0, 3.0]])),
    "multi": (4, None, torch.tensor([[1.0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]])),
}


@pytest.mark.parametrize("case", CLASSES)
def test_sequence_classification(case: str, tmp_path: Path) -> None:
    count, problem, labels = CLASSES[case]
    model, reference = pair(
        LlamaForSequenceClassification,
        transformers.LlamaForSequenceClassification,
        tmp_path,
        num_labels=count,
        problem_type=problem,
    )
    tokens, mask = ids(3, 10), torch.ones(3, 10, dtype=torch.long)
    tokens[1, 7:], mask[1, 7:] = 0, 0
    with torch.no_grad():
        ours = model(tokens, attention_mask=mask, labels=labels)
        theirs = reference(tokens, attention_mask=mask, labels=labels)
    close(ours.logits, theirs.logits)
    close(ours.loss, theirs.loss)


def test_token_classification(tmp_path: Path) -> None:
    model, reference = pair(
        LlamaForTokenClassification, transformers.LlamaForTokenClassification, tmp_path, num_labels=7
    )
    labels = torch.randint(0, 7, (2, 9), generator=torch.Generator().manual_seed(3))
    labels[0, 0] = -100
    assert model.dropout.p == reference.dropout.p
    with torch.no_grad():
        ours, theirs = model(ids(2, 9), labels=labels), reference(ids(2, 9), labels=labels)
    close(ours.logits, theirs.logits)
    close(ours.loss, theirs.loss)


def test_question_answering(tmp_path: Path) -> None:
    model, reference = pair(LlamaForQuestionAnswering, transformers.LlamaForQuestionAnswering, tmp_path)
    spans = {"start_positions": torch.tensor([1, 99]), "end_positions": torch.tensor([[4], [8]])}
    with torch.no_grad():
        ours, theirs = model(ids(2, 9), **spans), reference(ids(2, 9), **spans)
    close(ours.start_logits, theirs.start_logits)
    close(ours.end_logits, theirs.end_logits)
    close(ours.loss, theirs.loss)


@pytest.mark.parametrize("name", ROPES)
def test_older_spelling_of_rope_parameters(name: str, tmp_path: Path) -> None:
    rope = dict(ROPES[name])
    theta, kind = rope.pop("rope_theta"), rope.pop("rope_type")
    older = LlamaConfig(**SMALL, rope_theta=theta, rope_scaling={"type": kind, **rope})
    assert older.rope_parameters == LlamaConfig(**SMALL, rope_parameters=ROPES[name]).rope_parameters
    model, reference = pair(LlamaForCausalLM, transformers.LlamaForCausalLM, tmp_path, rope_parameters=ROPES[name])
    again = LlamaForCausalLM(older).eval()
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        close(again(ids(1, 30)).logits, reference(ids(1, 30)).logits)
