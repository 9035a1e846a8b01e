"""Arguments that cannot be meant together, and names that nobody knows: refused before anything runs."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from modelry_trainer.errors import ArgumentsError

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

PLATEAU = "reduce_lr_on_plateau"
_OLD_NAMES = {
    "evaluation_strategy": "eval_strategy",
    "warmup_ratio": "warmup_steps (a value below 1 is a part of all steps)",
    "group_by_length": "train_sampling_strategy='group_by_length'",
    "no_cuda": "use_cpu",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "tokenizer": "Trainer(processing_class=...)",
    "overwrite_output_dir": "another output_dir, or remove the old one yourself",
    "logging_dir": "the reporter's own environment variable",
    **dict.fromkeys(
        ("predict_with_generate", "generation_max_length", "generation_num_beams", "generation_config"),
        "Seq2SeqTrainingArguments, which has it, and give them to a Seq2SeqTrainer",
    ),
}
_LEAVE_OUT = {
    "save_safetensors": "nothing else is ever written",
    "use_mps_device": "the fastest device is found; use_cpu is the other choice",
    "half_precision_backend": "torch's own is the only one",
    "fp16_opt_level": "torch's own mixed precision has no levels",
    "jit_mode_eval": "torch_compile compiles evaluations too",
    "include_inputs_for_metrics": "include_for_metrics=['inputs'] says it",
}


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse names that are no arguments.

    Raises:
        ArgumentsError: with the name that was probably meant.
    """
    for name in given:
        if name in known:
            continue
        near = get_close_matches(name, known, 1)
        hint = f"write {_OLD_NAMES[name]}" if name in _OLD_NAMES else f"did you mean {near[0]}?" if near else ""
        hint = f"leave it out, {_LEAVE_OUT[name]}" if name in _LEAVE_OUT else hint
        raise ArgumentsError(f"there is no training argument {name!r}{': ' if hint else ''}{hint}")


def refuse_contradictions(args: "TrainingArguments") -> None:
    """Refuse values that contradict each other.

    Raises:
        ValueError: names both.
    """
    for sentence in _contradictions(args):
        raise ValueError(sentence)


def _contradictions(args: "TrainingArguments") -> Iterable[str]:
    if args.fp16 and args.bf16:
        yield "fp16 and bf16 are both True: choose one"
    if args.fp16_full_eval and args.bf16_full_eval:
        yield "fp16_full_eval and bf16_full_eval are both True: choose one"
    if args.max_steps == 0 or args.max_steps < -1:
        yield f"max_steps is {args.max_steps}: write a number above 0, or -1 to train num_train_epochs"
    for name in ("logging_steps", "eval_steps", "save_steps", "warmup_steps"):
        value = getattr(args, name)
        if value is not None and value > 1 and value != int(value):
            yield f"{name} is {value}: above 1 it is a number of steps, below 1 a part of all steps"
    both = args.activation_checkpointing_kwargs, args.gradient_checkpointing_kwargs
    if None not in both and both[0] != both[1]:
        yield "activation_checkpointing_kwargs and gradient_checkpointing_kwargs are two names of one thing and differ"
    if any(both) and not args.checkpoints_activations:
        yield "activation_checkpointing_kwargs is given and activation_checkpointing is not switched on"
    if args.eval_strategy == "no":
        for name, value in _needing_evaluation(args):
            yield f"{name} is {value!r} and needs evaluations: eval_strategy is 'no', set it to 'steps' or 'epoch'"
    if args.dataloader_num_workers == 0:
        for name in (
            "dataloader_prefetch_factor",
            "dataloader_persistent_workers",
            "dataloader_multiprocessing_context",
        ):
            if getattr(args, name):
                yield f"{name} is {getattr(args, name)!r} and dataloader_num_workers is 0: it needs at least one worker"
    if args.warmup_steps and args.lr_scheduler_type == PLATEAU:
        yield f"warmup_steps is {args.warmup_steps:g}, and {PLATEAU} goes by a metric and has no warm-up: leave it out"
    yield from _best_and_saved(args)
    yield from _of_processes(args)
    if args.batch_eval_metrics and not args.eval_do_concat_batches:
        yield "batch_eval_metrics hands over each batch, so eval_do_concat_batches=False says nothing: leave it out"
    if args.prediction_loss_only and args.include_for_metrics:
        yield f"prediction_loss_only leaves nothing for include_for_metrics {args.include_for_metrics!r}: choose one"


def _needing_evaluation(args: "TrainingArguments") -> Iterable[tuple[str, Any]]:
    if args.load_best_model_at_end:
        yield "load_best_model_at_end", True
    if args.save_strategy == "best":
        yield "save_strategy", "best"
    if args.lr_scheduler_type == PLATEAU:
        yield "lr_scheduler_type", PLATEAU


_OF_COPIES = ("ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_broadcast_buffers", "ddp_static_graph")


def _of_processes(args: "TrainingArguments") -> Iterable[str]:
    sharding = args.sharding  # refuses what it cannot mean
    if args.use_cpu and args.ddp_backend == "nccl":
        yield "use_cpu is True and ddp_backend 'nccl', which needs GPUs: write 'gloo', or leave it out"
    if args.ddp_static_graph and args.gradient_accumulation_steps > 1:
        yield (
            f"ddp_static_graph is True and gradient_accumulation_steps {args.gradient_accumulation_steps}: torch fails "
            "on a static graph whose gradients are summed in the last part of a step only; leave one out"
        )
    divided = "fsdp" if sharding else "tp_size" if (args.parallelism_config or {}).get("tp_size", 1) > 1 else None
    if divided is None:
        return
    for name in _OF_COPIES:
        if getattr(args, name) is not None:
            yield f"{name} is {getattr(args, name)!r} and {divided} is set: it is of DDP, which is not used then"
    for name in ("fp16", "fp16_full_eval", "bf16_full_eval", "auto_find_batch_size", "save_on_each_node"):
        if getattr(args, name):
            yield f"{name} and {divided} are both set: " + _NOT_DIVIDED[name]
    if sharding and sharding.activation_checkpointing and args.checkpoints_activations:
        yield "fsdp_config has activation_checkpointing, and activation_checkpointing is set too: write one of them"


_NOT_DIVIDED = {
    "fp16": "a scale of the loss is not kept over parts of tensors; set bf16",
    "fp16_full_eval": "evaluation would need a second model; set bf16",
    "bf16_full_eval": "evaluation would need a second model; set bf16",
    "auto_find_batch_size": "processes cannot try again one by one; set a smaller batch",
    "save_on_each_node": "the parts of a model belong into one folder that all machines see",
}


def _best_and_saved(args: "TrainingArguments") -> Iterable[str]:
    if not args.load_best_model_at_end or args.save_strategy == "best" or args.eval_strategy == "no":
        return
    if args.save_strategy != args.eval_strategy:
        yield (
            f"load_best_model_at_end needs a checkpoint where there is an evaluation: save_strategy is "
            f"{args.save_strategy!r} and eval_strategy {args.eval_strategy!r}; make them equal, or save_strategy='best'"
        )
    elif args.save_strategy == "steps":
        every = args.logging_steps if args.eval_steps is None else args.eval_steps
        ratio = args.save_steps / every
        if (every < 1) != (args.save_steps < 1) or abs(ratio - round(ratio)) > 1e-6 or ratio < 0.5:
            yield (
                f"load_best_model_at_end needs a checkpoint at an evaluation: save_steps {args.save_steps:g}"
                f" is not a multiple of eval_steps {every:g}"
            )
