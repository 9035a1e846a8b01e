"""The loss of mixtures of experts: what is added for their balance counts once a step, in how many parts it is done."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_trainer import Trainer
from modelry_trainer.errors import BadRow

Make = Callable[..., Trainer]


class Routed(nn.Module):
    """A mean over rows, and for the balance another one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.config = SimpleNamespace(router_aux_loss_coef=0.5)

    def forward(self, x: torch.Tensor, labels: torch.Tensor, num_items_in_batch: Any = None) -> Any:
        errors = (x @ self.weight - labels).square()
        loss = errors.mean() if num_items_in_batch is None else errors.sum() / num_items_in_batch
        uneven = (x.abs() @ self.weight - 1).square().mean()
        names = {"loss": loss + 0.5 * uneven, "aux_loss": uneven, "logits": x @ self.weight}
        return type("Out", (dict,), {"__getattr__": dict.__getitem__})(names)


@pytest.mark.parametrize(("rows", "parts"), [(4, 2), (2, 4)])
def test_balance_counts_once(rows: int, parts: int, points: list[Any], train: Make) -> None:
    values = {"max_steps": 3, "learning_rate": 0.1, "optim": "sgd"}
    whole = train(Routed(), points, **values, per_device_train_batch_size=8)
    accumulated = train(Routed(), points, **values, per_device_train_batch_size=rows, gradient_accumulation_steps=parts)
    losses = [[line["loss"] for line in one.state.log_history if "loss" in line] for one in (whole, accumulated)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    torch.testing.assert_close(accumulated.model.weight, whole.model.weight)


def test_a_mixture_whose_balance_is_watched(texts: list[Any], train: Make) -> None:
    pytest.importorskip("modelry_mixtral")
    sizes: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_local_experts": 3}
    config = AutoConfig.for_model(
        "mixtral", vocab_size=200, hidden_size=8, intermediate_size=8, num_hidden_layers=1, **sizes
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    found = []
    for watched in (False, True):
        model.config.output_router_logits, model.config.router_aux_loss_coef = watched, 0.5
        trainer = train(model, texts, max_steps=1, learning_rate=0.0, gradient_accumulation_steps=2)
        found.append(trainer.state.log_history[0]["loss"])
    assert 0.4 < found[1] - found[0] < 2  # 1 per chosen expert where all are chosen alike


def test_a_function_that_divides_by_the_count_is_evaluated_too(make_toy: Any, texts: list[Any], train: Make) -> None:
    """And its rows are run one by one where one of them is bad."""

    def divided(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any) -> torch.Tensor:
        scores, wanted = outputs["logits"][:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        return nn.functional.cross_entropy(scores, wanted, reduction="sum") / num_items_in_batch

    more = {"compute_loss_func": divided, "eval_dataset": texts}
    trainer = train(make_toy(), texts, max_steps=1, learning_rate=0.0, eval_strategy="steps", eval_steps=1, more=more)
    own = train(make_toy(), texts, run=False).evaluate(texts)
    assert trainer.state.log_history[1]["eval_loss"] == pytest.approx(own["eval_loss"], rel=1e-6)
    texts[4] = {**texts[4], "labels": torch.full((9,), 999)}
    with pytest.raises(BadRow, match=r"^row 4 of the eval data set .*Target 999 is out of bounds"):
        trainer.evaluate(texts)
