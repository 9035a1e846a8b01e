"""Training arguments: the ecosystem's names and defaults; what cannot be meant is refused when they are made."""

import dataclasses
import logging
import subprocess
import sys

import pytest
from torch import nn

from modelry_registry import MissingPlugin, Optimizer, Registry, RegistryError, UnknownName, get_registry, use_registry
from modelry_trainer import Seq2SeqTrainingArguments, Trainer, TrainingArguments
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.unbuilt import UNBUILT

DERIVED = {"output_dir", "report_to", "activation_checkpointing", "gradient_checkpointing"}
"""Where the peer's default is None or a word for the value that ours has."""


def test_names_and_defaults_are_the_ecosystems() -> None:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    transformers = pytest.importorskip("transformers")
    ours = Seq2SeqTrainingArguments()
    for field in dataclasses.fields(transformers.Seq2SeqTrainingArguments):
        if field.name in DERIVED:
            continue
        made = field.default_factory is not dataclasses.MISSING
        theirs = field.default_factory() if made else field.default
        assert getattr(ours, field.name) == getattr(theirs, "value", theirs), field.name


def test_every_unbuilt_field_is_refused_by_name() -> None:
    for name, default in UNBUILT.items():
        assert getattr(TrainingArguments(**{name: default}), name) == default
        with pytest.raises(ArgumentsError, match=f"{name} is .*accepts its default"):
            TrainingArguments(**{name: "another"})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fp16": True, "bf16": True}, "fp16 and bf16 are both True"),
        ({"fp16_full_eval": True, "bf16_full_eval": True}, "both True"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"output_dir": 7}, "output_dir is 7: write the name of a folder"),
        ({"lr_scheduler_kwargs": "x"}, "lr_scheduler_kwargs is 'x': write a mapping, or one as JSON"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"optim_args": "amsgrad"}, "optim_args is 'amsgrad': write names and their values"),
        ({"fsdp": True, "fsdp_config": "nowhere"}, "fsdp_config is 'nowhere': there is no such file"),
        ({"learning_rate": -1}, "learning_rate is -1"),
        ({"logging_steps": 2.5}, "logging_steps is 2.5"),
        ({"load_best_model_at_end": True}, "load_best_model_at_end is True and needs evaluations"),
        ({"save_strategy": "best"}, "save_strategy is 'best' and needs evaluations"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau"}, "needs evaluations"),
        (
            {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "epoch", "warmup_steps": 5},
            "warmup_steps is 5, and reduce_lr_on_plateau goes by a metric",
        ),
        ({"load_best_model_at_end": True, "eval_strategy": "epoch"}, "make them equal"),
        (
            {"load_best_model_at_end": True, "eval_strategy": "steps", "eval_steps": 20, "save_steps": 30},
            "save_steps 30 is not a multiple of eval_steps 20",
        ),
        ({"dataloader_prefetch_factor": 2}, "needs at least one worker"),
        ({"activation_checkpointing_kwargs": {"use_reentrant": True}}, "not switched on"),
        ({"eval_strategy": "sometimes"}, "eval_strategy is 'sometimes': write 'no', 'steps' or 'epoch'"),
        ({"warmup_ratio": 0.1}, "write warmup_steps"),
        ({"save_safetensors": True}, "leave it out, nothing else is ever written"),
        ({"predict_with_generate": True}, "write Seq2SeqTrainingArguments"),
        ({"learning_rat": 0.1}, "did you mean learning_rate"),
    ],
)
def test_refusals(values: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentsError, match=words):
        TrainingArguments(**values)


def test_names_of_optimizers_and_schedules_are_looked_up() -> None:
    with pytest.raises(UnknownName, match=r"'adamw_torhc'.*Did you mean adamw_torch"):
        TrainingArguments(optim="adamw_torhc")
    with pytest.raises(UnknownName, match=r"'cosin'.*Did you mean cosine"):
        Seq2SeqTrainingArguments(lr_scheduler_type="cosin")
    with pytest.raises(RegistryError, match=r"(?s)'addam'.*'liner'"):
        TrainingArguments(optim="addam", lr_scheduler_type="liner")
    own = Optimizer(name="own", make="a_package_that_is_not_there:make")
    with use_registry(get_registry().extended(own)):
        args = TrainingArguments(optim="own")  # by its name alone
    with pytest.raises(UnknownName, match="'own'"):
        Trainer(nn.Linear(1, 1), args)  # edited, or taken to where it is not installed


def test_they_are_looked_up_without_torch() -> None:
    names = "from modelry import TrainingArguments as A; A(optim='muon', lr_scheduler_type='cosine', bf16=True)"
    code = f"import sys; {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_name_of_a_package_that_is_not_installed() -> None:
    with use_registry(Registry([])), pytest.raises(MissingPlugin, match="pip install modelry-trainer"):
        TrainingArguments(optim="muon")


def test_what_follows_from_others() -> None:
    told = TrainingArguments(optim_args="momentum = 0.9, nesterov=true, betas=(0.9, 0.99)").optimizer_parameters
    assert told == {"momentum": 0.9, "nesterov": True, "betas": (0.9, 0.99)}
    args = TrainingArguments(
        "out", eval_strategy="steps", logging_steps=5, load_best_model_at_end=True, save_steps=10, warmup_steps=0.1
    )
    assert (args.eval_steps, args.metric_for_best_model, args.greater_is_better) == (5, "loss", False)
    assert args.get_warmup_steps(45) == 5
    assert TrainingArguments(optim_args="momentum=0.9, nesterov=true").optimizer_parameters == {
        "momentum": 0.9,
        "nesterov": True,
    }
    assert TrainingArguments(gradient_checkpointing=True).activation_checkpointing
    assert TrainingArguments(torch_compile_mode="default").torch_compile


def test_it_goes_through_json() -> None:
    args = TrainingArguments("out", max_steps=3, report_to=["tensorboard"])
    assert TrainingArguments(**args.to_dict()).to_dict() == args.to_dict()
