"""What a trainer is made of, checked: things that do not go with each other, and methods that nothing would call."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from modelry_trainer.errors import ArgumentsError

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

UNHEARD: Mapping[str, str] = {
    "_clip_grad_norm": "listen with a callback's on_pre_optimizer_step",
    "_determine_best_metric": "override evaluate",
    "_get_collator_with_removed_columns": "override get_train_dataloader, or give a data_collator",
    "_get_dataloader": "override get_train_dataloader, get_eval_dataloader and get_test_dataloader",
    "_get_num_items_in_batch": "override compute_loss, and set loss_is_scaled_for_ga",
    "_get_output_dir": "override save_checkpoint, or set output_dir",
    "_inner_training_loop": "override training_step, compute_loss, or listen with a callback",
    "_load_best_model": "override train, or listen to on_train_end",
    "_load_from_checkpoint": "override train",
    "_load_optimizer_and_scheduler": "override create_optimizer and create_scheduler",
    "_load_rng_state": "override train",
    "_maybe_log_save_evaluate": "override log, evaluate or save_checkpoint, or let a callback set control.should_log",
    "_move_model_to_device": "give the model where it is to be, and use_cpu",
    "_push_from_checkpoint": "override push_to_hub",
    "_remove_unused_columns": "override get_train_dataloader, or set remove_unused_columns=False",
    "_rotate_checkpoints": "override save_checkpoint, or set save_total_limit",
    "_save": "override save_model",
    "_save_checkpoint": "override save_model, which writes the model of each checkpoint, or save_checkpoint",
    "_save_optimizer_and_scheduler": "override save_checkpoint",
    "_set_signature_columns_if_needed": "set remove_unused_columns=False, or give the collator `columns`",
    "_wrap_model": "override create_optimizer, or give the model as it is to be",
    "create_accelerator_and_postprocess": "fsdp, parallelism_config and the ddp_ arguments say it",
    "get_batch_samples": "override get_train_dataloader",
    "prediction_loop": "override evaluation_loop",
}
"""Methods of the ecosystem's trainer that are steps of another loop than ours, and what to do in their place."""

_LOSS = ("loss", "eval_loss")


def opened(model: Any) -> Any:
    """The model inside of what torch.compile(model) returned: it runs compiled as that did, and has its own names."""
    inner = getattr(model, "_orig_mod", None)
    if not isinstance(inner, nn.Module):
        return model
    inner._compiled_call_impl = model.dynamo_ctx(inner._call_impl)  # as inner.compile(...) would have set it
    return inner


def refuse_unheard(kind: type) -> None:
    """Refuse a subclass that overrides what is never called: it would change nothing, and nobody would know.

    Raises:
        ArgumentsError: names the method, and what to do.
    """
    for name, instead in UNHEARD.items():
        if hasattr(kind, name):
            raise ArgumentsError(f"{kind.__name__} has a method {name}, which nothing calls here: {instead}")


def refuse_unfitting(
    args: "TrainingArguments", *, model: Any, model_init: Any, optimizer: Any, optimizer_class: Any, loss_func: Any
) -> None:
    """Refuse things that a trainer cannot have together.

    Raises:
        ArgumentsError: names both.
    """
    if (model is None) == (model_init is None):
        raise ArgumentsError("give Trainer either a model or a model_init")
    if model is not None and not isinstance(model, nn.Module):
        raise ArgumentsError(
            f"model is a {type(model).__name__}: give Trainer the model itself, an nn.Module "
            "(AutoModelForCausalLM.from_pretrained(...) and others load one)"
        )
    if optimizer_class is not None and optimizer is not None:
        raise ArgumentsError("optimizers and optimizer_cls_and_kwargs are both given: choose one")
    if loss_func is not None and args.label_smoothing_factor:
        raise ArgumentsError("compute_loss_func is given, so nobody reads label_smoothing_factor: leave one out")


def refuse_unmeasured(args: "TrainingArguments", data: Any) -> None:
    """Refuse to watch a metric that evaluations of this data set cannot have.

    Args:
        data: to evaluate, or a mapping of names to several.

    Raises:
        ArgumentsError: each of several data sets has a loss of its own.
    """
    if isinstance(data, Mapping) and data and args.metric_for_best_model in _LOSS:
        raise ArgumentsError(
            f"metric_for_best_model is {args.metric_for_best_model!r}, and eval_dataset has several, each with a loss "
            f"of its own: choose one, as metric_for_best_model='eval_{next(iter(data))}_loss'"
        )
