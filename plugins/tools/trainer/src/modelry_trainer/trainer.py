"""`Trainer`: a model, data and arguments; train, evaluate, predict, save.

What happens in a step is in `loop` and `gradients`, what is kept in `resuming` and `checkpoints`. To change something,
override compute_loss, training_step, prediction_step, create_optimizer, create_scheduler, a get_..._dataloader, log or
save_model, which writes the model of each checkpoint too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelry import accelerators
from modelry_trainer import precision
from modelry_trainer.accumulation import ItemCount, plain_count
from modelry_trainer.arguments import TrainingArguments, checked
from modelry_trainer.beginning import begin_in, switch_on
from modelry_trainer.callbacks.events import CallbackHandler
from modelry_trainer.callbacks.standard import standard_callbacks
from modelry_trainer.checkpoints.folders import rotate, saving_to, write_checkpoint
from modelry_trainer.checkpoints.weights import save_weights
from modelry_trainer.distributed.loaders_of_users import orders_rows
from modelry_trainer.distributed.spreading import one_by_one, spread, wrapped
from modelry_trainer.distributed.world import world_of
from modelry_trainer.ending import finished
from modelry_trainer.errors import ArgumentsError, TrainingError
from modelry_trainer.evaluation import at_rest
from modelry_trainer.given import opened, refuse_unfitting, refuse_unheard, refuse_unmeasured
from modelry_trainer.loaders import chosen_rows, default_collator, evaluation_loader, training_loader
from modelry_trainer.loop import Loop, new_state, plan
from modelry_trainer.neftune import noisy_embeddings
from modelry_trainer.objective import count_for, model_loss
from modelry_trainer.optimization import new_optimizer, new_schedule, refuse_unknown_parameters
from modelry_trainer.outputs import predictions_of
from modelry_trainer.results import PredictionOutput, TrainOutput, plain_value
from modelry_trainer.resuming import read_training, write_training
from modelry_trainer.schedules import follows_metric
from modelry_trainer.state import Place, TrainerControl, TrainerState
from modelry_trainer.surroundings import Surroundings


class Trainer(Surroundings):
    """Trains a model: one of ours or any nn.Module whose forward returns a loss.

    Args:
        model: None where `model_init` makes it.
        args: see `TrainingArguments`.
        data_collator: a list of rows to a mapping of tensors; padding where processing_class can pad, else stacking.
        train_dataset: rows by number, or anything that can be iterated.
        eval_dataset: the same; a mapping of names to several is evaluated one by one.
        processing_class: a tokenizer or processor, saved with the model.
        model_init: makes a new model for every `train`.
        compute_loss_func: (outputs, labels, num_items_in_batch) -> loss, already divided by num_items_in_batch.
        compute_metrics: EvalPrediction -> {name: value}.
        callbacks: beside the standard ones.
        optimizers: an optimizer and a schedule to use; None makes those of the arguments.
        optimizer_cls_and_kwargs: a class of optimizers and what it is given.
        preprocess_logits_for_metrics: (logits, labels) -> what is kept of them for compute_metrics.

    Raises:
        ArgumentsError: arguments that do not go with each other.
    """

    loss_is_scaled_for_ga: bool | None = None
    """Of a subclass with a compute_loss of its own: whether what it returns is already divided by num_items_in_batch.
    None: it is if that number was computed with, by the model or by others."""

    def __init__(
        self,
        model: nn.Module | None = None,
        args: TrainingArguments | None = None,
        data_collator: Callable[[list[Any]], Any] | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        model_init: Callable[[], nn.Module] | None = None,
        compute_loss_func: Callable[..., Tensor] | None = None,
        compute_metrics: Callable[..., Mapping[str, float]] | None = None,
        callbacks: Sequence[Any] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        optimizer_cls_and_kwargs: tuple[type, dict[str, Any]] | None = None,
        preprocess_logits_for_metrics: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.args = checked(args)
        refuse_unheard(type(self))
        refuse_unfitting(
            self.args,
            model=model,
            model_init=model_init,
            optimizer=optimizers[0],
            optimizer_class=optimizer_cls_and_kwargs,
            loss_func=compute_loss_func,
        )
        self.world = world_of(self.args)
        self.device = self.world.device
        if optimizers[0] is not None and (self.args.fsdp or self.world.sizes.tensor > 1):
            raise ArgumentsError("optimizers has one that was made before the model is divided: use optim, or a class")
        precision.seed_everything(self.args)
        self.model_init = model_init
        made: Any = opened(model) if model_init is None else self.call_model_init()
        self.model = self.model_wrapped = spread(made, self.args, self.world)
        self.processing_class = processing_class
        self.data_collator = default_collator(processing_class) if data_collator is None else data_collator
        self.train_dataset, self.eval_dataset = train_dataset, eval_dataset
        self.compute_loss_func, self.compute_metrics = compute_loss_func, compute_metrics
        self.preprocess_logits_for_metrics = preprocess_logits_for_metrics
        self.optimizer, self.lr_scheduler = optimizers
        self._optimizers_given = optimizers
        self._schedule_made: Any = None
        self.checkpointed: tuple[int, str] | None = None
        self.optimizer_cls_and_kwargs = optimizer_cls_and_kwargs
        self.schedule_follows_metric = False
        self.scaler: torch.amp.GradScaler | None = None
        self.state, self.control = self._stating(TrainerState()), TrainerControl()
        self.part_of_batch = 1.0
        """Of the loss of the step: how much what training_step is given counts, where its loss is a mean."""
        self._divided = False
        self.saved: tuple[nn.Module, Path] | None = None
        """The model that save_model wrote last, and where."""
        self.pieces_in: Path | None = None
        """The checkpoint that is being written, if each process writes its part of the weights itself."""
        self.ignored_in_evaluation: Sequence[str] | None = None
        standard = standard_callbacks(self.args, self.world)
        self.callback_handler = CallbackHandler([*standard, *(callbacks or ())], about=self._about)
        if self.args.eval_strategy != "no" and eval_dataset is None and not self.makes("get_eval_dataloader"):
            raise ArgumentsError(f"eval_strategy is {self.args.eval_strategy!r} and there is no eval_dataset: give one")
        if not self.makes("evaluate"):
            refuse_unmeasured(self.args, eval_dataset)
        refuse_unknown_parameters(self, optimizers)
        self.begin_uploads()
        self.tell("on_init_end")

    # Training

    def train(
        self, resume_from_checkpoint: str | Path | bool | None = None, ignore_keys_for_eval: Sequence[str] | None = None
    ) -> TrainOutput:
        """Train to the end.

        Args:
            resume_from_checkpoint: a folder, or True for the newest whole one in output_dir.

        Raises:
            TrainingError: see `errors`.
        """
        self.is_in_train = True
        try:
            with self.world.together():
                return self._train(resume_from_checkpoint, ignore_keys_for_eval)
        finally:
            self.is_in_train = False

    def _train(self, resume: str | Path | bool | None, ignore_keys_for_eval: Sequence[str] | None) -> TrainOutput:
        args, output, world = self.args, Path(self.args.output_dir), self.world
        asked = args.resume_from_checkpoint if resume is None else resume
        source = world.told(lambda: begin_in(output, asked, saves=args.save_strategy != "no"))
        precision.seed_everything(args)
        if self.model_init is not None:
            self.model = spread(self.call_model_init(), args, world)
            self.optimizer, self.lr_scheduler = self._optimizers_given
        elif self.lr_scheduler is self._schedule_made:  # of the training before, at whose end it is
            self.lr_scheduler = None
        self.ignored_in_evaluation = ignore_keys_for_eval
        switch_on(self.model, args)
        self.model_wrapped = wrapped(self.model, args, world)
        loader = self.get_train_dataloader()
        length = plan(self, loader)
        self.state, self.control = self._stating(new_state(args, length)), TrainerControl()
        given = self.lr_scheduler
        self.create_optimizer_and_scheduler(length.max_steps)
        self._schedule_made = self.lr_scheduler if given is None else None
        if world.data_rank and orders_rows(loader):  # a stream that draws must draw the same everywhere
            precision.seed_everything(args, shift=world.data_rank)
        self.checkpointed = None
        place = Place() if source is None else read_training(self, Path(source))
        loop, first = Loop(self, loader, length, place), self.state.global_step
        self.model.zero_grad()
        self.tell("on_train_begin", train_dataloader=loader)
        started = time.monotonic()
        with noisy_embeddings(self.model, args.neftune_noise_alpha):
            if args.eval_on_start and not first:  # also where that failed, and its checkpoint is resumed
                loop.evaluate(at_start=True)
            loop.run()
        return finished(self, place, first, time.monotonic() - started)

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of one batch, or of a part of one; returns its share of the step's loss."""
        model.train()  # all of it: an adapter is made in this mode, around a model that is not
        inputs = self._prepare_inputs(inputs)
        self._divided = False
        count = num_items_in_batch
        if self.makes("compute_loss"):
            count = ItemCount.of(count)
        with precision.autocast(self.args, self.device):
            loss: Tensor = self.compute_loss(model, inputs, num_items_in_batch=count)
        if loss.dim():
            raise TrainingError(f"compute_loss returns a tensor of shape {tuple(loss.shape)}: return one number")
        divided = self._divided or (isinstance(count, ItemCount) and count.read)
        if not self.part_of_batch:  # a batch that keeps a process company, or none of whose labels counts
            loss = loss.nan_to_num() * 0.0
        elif not (divided if self.loss_is_scaled_for_ga is None else self.loss_is_scaled_for_ga):
            loss = loss * self.part_of_batch
        every = self.args.torch_empty_cache_steps
        if every is not None and self.state.global_step % every == 0 and self.device.type != "cpu":
            accelerators.release(self.device)
        scaled: Any = loss if self.scaler is None else self.scaler.scale(loss)
        scaled.backward()
        return loss.detach()

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch; with return_outputs the model's outputs too.

        Args:
            num_items_in_batch: labels that count in the whole step. None, or a model that does not divide by it: the
                loss is the mean over this batch, and training_step gives it its weight.
        """
        loss, outputs, self._divided = model_loss(
            model,
            inputs,
            self.args,
            plain_count(num_items_in_batch),
            func=self.compute_loss_func,
            outputs_wanted=return_outputs,
            part=self.part_of_batch,
        )
        return (loss, outputs) if return_outputs else loss

    # Optimizer and schedule

    def create_optimizer_and_scheduler(self, num_training_steps: int) -> None:
        """Make what is not there yet."""
        self.state.max_steps = self.state.max_steps or num_training_steps
        self.create_optimizer()
        self.create_scheduler(num_training_steps)
        self.scaler = precision.gradient_scaler(self.args, self.device)

    def create_optimizer(self) -> Any:
        """Parameters that get_decay_parameter_names names decay: no biases, no norms."""
        if self.optimizer is None:
            given, decayed = self.optimizer_cls_and_kwargs, self.get_decay_parameter_names(self.model)
            choose = getattr(self, "get_optimizer_cls_and_kwargs", None)  # which subclasses of the ecosystem have
            if given is None and choose is not None:
                given = choose(self.args, self.model)
            steps = self.state.max_steps or max(self.args.max_steps, 0)
            made = new_optimizer(self.model, self.args, given=given, decayed=decayed, steps=steps)
            self.optimizer = self.optimizer_made = made
            one_by_one(self.optimizer)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The learning rate over so many steps."""
        if self.lr_scheduler is None:
            moved = self.optimizer if optimizer is None else optimizer
            self.lr_scheduler = new_schedule(moved, self.args, steps=num_training_steps)
            self.schedule_follows_metric = follows_metric(self.args.lr_scheduler_type)
        return self.lr_scheduler

    # Data

    def get_train_dataloader(self) -> Any:
        """Batches for learning."""
        return training_loader(self, self.train_dataset)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Batches for evaluation, of a data set or of the one of that name."""
        return evaluation_loader(self, chosen_rows(self.eval_dataset, eval_dataset), "eval data set")

    def get_test_dataloader(self, test_dataset: Any) -> Any:
        """Batches for prediction."""
        return evaluation_loader(self, test_dataset, "test data set")

    # Evaluation

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Sequence[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """The loss and the metrics on a data set, or on each of several.

        Raises:
            MetricFailed: compute_metrics raised; the model is as it was.
        """
        data = self.eval_dataset if eval_dataset is None else eval_dataset
        if isinstance(data, Mapping):
            several: dict[str, float] = {}
            for name, one in data.items():
                several |= self.evaluate(one, ignore_keys, f"{metric_key_prefix}_{name}")
            return several
        loader = self.get_eval_dataloader(eval_dataset)
        only = True if self.compute_metrics is None else None
        with self.world.together():
            found = self.evaluation_loop(loader, "Evaluation", only, ignore_keys, metric_key_prefix)
        metrics: dict[str, float] = found.metrics
        self.log(metrics)
        self.tell("on_evaluate", metrics=metrics)
        return metrics

    def predict(
        self, test_dataset: Any, ignore_keys: Sequence[str] | None = None, metric_key_prefix: str = "test"
    ) -> PredictionOutput:
        """Predictions, labels and metrics of a data set, as numpy arrays filled up with -100; prediction_loss_only
        leaves the metrics."""
        loader = self.get_test_dataloader(test_dataset)
        with self.world.together():
            found = self.evaluation_loop(loader, "Prediction", None, ignore_keys, metric_key_prefix)
        self.tell("on_predict", metrics=found.metrics)
        return PredictionOutput(found.predictions, found.label_ids, found.metrics)

    def prediction_step(
        self,
        model: nn.Module,
        inputs: Any,
        prediction_loss_only: bool,
        ignore_keys: Sequence[str] | None = None,
    ) -> tuple[Any, Any, Any]:
        """Loss, outputs and labels of one batch; None where there is none."""
        inputs = self._prepare_inputs(inputs)
        names = [name for name in self.label_names if inputs.get(name) is not None]
        labels = tuple(inputs[name] for name in names)
        with torch.no_grad(), precision.autocast(self.args, self.device):
            if names:
                loss, outputs = self.compute_loss(model, inputs, return_outputs=True, **count_for(self, inputs))
            else:
                loss, outputs = None, model(**inputs)
        if prediction_loss_only:
            return loss, None, None
        return loss, predictions_of(outputs, model, ignore_keys), labels[0] if len(labels) == 1 else labels or None

    # Saving

    def save_model(self, output_dir: str | Path | None = None, _internal_call: bool = False) -> None:
        """Write the model and its preprocessor to where `from_pretrained` reads them; output_dir of the arguments.

        Raises:
            SaveFailed: the disk is full.
        """
        folder = Path(self.args.output_dir if output_dir is None else output_dir).expanduser()

        def save() -> None:
            with saving_to(folder):
                if folder != self.pieces_in:
                    save_weights(self.model, folder, self.world)
                if self.world.leads:
                    self.save_preprocessor(folder)

        with self.world.together(), at_rest(self.optimizer):
            self.world.everywhere(save)  # nobody goes on to read what is not there yet
        self.saved = self.model, folder
        if self.args.push_to_hub and not _internal_call:
            self.push_to_hub(commit_message="Model save")

    def save_checkpoint(self, place: Place) -> Path:
        """Write checkpoint-<step>; then let go of the oldest.

        Raises:
            SaveFailed: the disk is full; older checkpoints are whole.
        """
        output = Path(self.args.output_dir)
        folder = output / f"checkpoint-{self.state.global_step}"
        if self.state.best_global_step == self.state.global_step:
            self.state.best_model_checkpoint = str(folder)
        write_checkpoint(folder, lambda aside: write_training(self, place, aside), self.world)
        self.checkpointed = self.state.global_step, str(folder)
        if self.world.leads:
            best = self.state.best_model_checkpoint
            rotate(output, keep=self.args.save_total_limit, best=best, newest=folder)
        return folder

    # Logs, and who hears them

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the epoch, keep the line, and tell the listeners."""
        logs |= {name: plain_value(value) for name, value in logs.items()}
        logs["epoch"] = self.state.epoch
        if self.args.include_num_input_tokens_seen != "no":
            logs["num_input_tokens_seen"] = self.state.num_input_tokens_seen
        self.state.log_history.append({**logs, "step": self.state.global_step})
        self.tell("on_log", logs=logs)

    def tell(self, event: str, **more: Any) -> None:
        """Tell all listeners of an event."""
        self.control = self.callback_handler.call_event(event, self.args, self.state, self.control, **more)

    def _about(self) -> dict[str, Any]:
        """What listeners are told of at every event."""
        names = ("model", "processing_class", "optimizer", "lr_scheduler")
        return {name: getattr(self, name) for name in names}

    def makes(self, name: str) -> bool:
        """Whether a subclass has a method of its own in the place of this one."""
        return getattr(type(self), name) is not getattr(Trainer, name)

    def _stating(self, state: TrainerState) -> TrainerState:
        state.is_world_process_zero = self.world.is_first
        state.is_local_process_zero = self.world.is_first_here
        return state
