"""What scripts ask of training arguments, and the ecosystem's groups of fields."""

import logging
from pathlib import Path

import pytest

from modelry_trainer import TrainingArguments
from modelry_trainer.errors import ArgumentsError


def test_one_process(tmp_path: Path) -> None:
    args = TrainingArguments(tmp_path, use_cpu=True)
    assert (args.world_size, args.process_index, args.n_gpu, args.device.type) == (1, 0, 0, "cpu")
    assert args.should_log
    assert args.should_save
    with args.main_process_first(desc="tokenizing"):
        pass
    assert TrainingArguments(log_level="error").get_process_log_level() == logging.ERROR
    assert args.get_process_log_level() == logging.getLogger("modelry_trainer").getEffectiveLevel()
    assert all(isinstance(value, bool | int | float | str) for value in args.to_sanitized_dict().values())


def test_groups_of_fields() -> None:
    args = TrainingArguments("out", weight_decay=0.5)
    assert args.set_training(learning_rate=1e-3, batch_size=4, num_epochs=2, gradient_checkpointing=True) is args
    assert (args.learning_rate, args.per_device_train_batch_size, args.num_train_epochs) == (1e-3, 4, 2)
    assert (args.do_train, args.activation_checkpointing, args.weight_decay) == (True, True, 0.0)
    args.set_evaluate("steps", steps=100).set_testing(batch_size=32, loss_only=True)
    assert (args.eval_strategy, args.eval_steps, args.do_eval, args.do_predict) == ("steps", 100, True, True)
    assert (args.per_device_eval_batch_size, args.prediction_loss_only) == (32, True)
    args.set_save(steps=200, total_limit=3).set_logging(steps=7, level="info")
    assert (args.save_steps, args.save_total_limit, args.logging_steps, args.log_level) == (200, 3, 7, "info")
    args.set_optimizer("sgd", args="momentum=0.9").set_lr_scheduler("cosine", warmup_steps=0.05)
    assert (args.optim, args.optimizer_parameters, args.lr_scheduler_type) == ("sgd", {"momentum": 0.9}, "cosine")
    args.set_dataloader(train_batch_size=16, sampler_seed=5).set_push_to_hub("inn/night", strategy="end")
    assert (args.per_device_train_batch_size, args.data_seed) == (16, 5)
    assert (args.push_to_hub, args.hub_model_id, args.hub_strategy) == (True, "inn/night", "end")


def test_groups_are_checked() -> None:
    args = TrainingArguments("out")
    with pytest.raises(ArgumentsError, match="save_strategy is 'best' and needs evaluations"):
        args.set_save("best")
    assert args.save_strategy == "steps"
