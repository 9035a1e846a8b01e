"""What scripts call on a trainer around its training: results shown and kept, the hub, a search, figures.

`Trainer` adds train, evaluate and predict.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from modelry.atomic import write_text
from modelry_trainer import precision, summaries
from modelry_trainer.accumulation import takes_item_count, unwrapped
from modelry_trainer.checkpoints.folders import checkpoints
from modelry_trainer.columns import label_columns
from modelry_trainer.given import opened
from modelry_trainer.loaders import save_preprocessor
from modelry_trainer.losses import scores_of, smoothed_cross_entropy
from modelry_trainer.optimizers import decayed_names
from modelry_trainer.outputs import to_device
from modelry_trainer.resuming import STATE


class Surroundings:
    """A trainer before it can train."""

    args: Any
    state: Any
    model: Any
    trial: Any = None
    """Of a search: the one that runs."""
    uploads: Any = None
    """Of push_to_hub: those that run."""
    optimizer_made: Any = None
    """By create_optimizer, of the arguments."""

    # Results and files, shown and kept

    def metrics_format(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The same for people: times, megabytes, four digits."""
        return summaries.readable(metrics)

    def log_metrics(self, split: str, metrics: Mapping[str, Any]) -> None:
        """Print them, one a line. `split` is what they are of: "train", "eval", "test"."""
        if self.is_world_process_zero():
            print(summaries.as_lines(split, metrics))

    def save_metrics(self, split: str, metrics: Mapping[str, Any], combined: bool = True) -> None:
        """Write <split>_results.json into output_dir; with `combined` add them to all_results.json too."""
        if self.is_world_process_zero():
            summaries.keep(Path(self.args.output_dir), split, metrics, combined=combined)

    def save_state(self) -> None:
        """Write trainer_state.json into output_dir."""
        if self.is_world_process_zero():
            output = Path(self.args.output_dir)
            output.mkdir(parents=True, exist_ok=True)
            write_text(output / STATE, json.dumps(self.state.to_dict(), indent=2))

    def newest_checkpoint(self) -> Path | None:
        """The last one in output_dir."""
        return next(reversed(checkpoints(Path(self.args.output_dir))), None)

    def save_preprocessor(self, folder: Path) -> None:
        """Write the tokenizer or processor into a folder."""
        save_preprocessor(_trainer(self).processing_class, folder)

    # Callbacks

    def add_callback(self, callback: Any) -> None:
        """Add a listener, or a class of listeners."""
        _trainer(self).callback_handler.add_callback(callback)

    def pop_callback(self, callback: Any) -> Any:
        """Take a listener out and return it; None where there is none."""
        return _trainer(self).callback_handler.pop_callback(callback)

    remove_callback = pop_callback

    # The hub

    def create_model_card(self, *names: Any, **told: Any) -> None:
        """Write README.md into output_dir: how the model was trained, and how good it is. A text of yours stays.

        Args:
            told: language, license, tags, model_name, finetuned_from, tasks, dataset_tags, dataset, dataset_args; in
                this order where they are not named.
        """
        from modelry_trainer.publishing.card import card, write_card

        order = [name for name in inspect.signature(card).parameters if name != "trainer"]
        if self.is_world_process_zero():
            write_card(_trainer(self), Path(self.args.output_dir), **dict(zip(order, names, strict=False)), **told)

    def init_hf_repo(self, token: str | None = None, private: bool | None = None) -> None:
        """Create the repository of hub_model_id where it is missing.

        Raises:
            AccessDenied, Unreachable, NotFound: the hub refuses or does not answer.
        """
        from modelry_trainer.publishing.pushing import make_repository_of

        trainer = _trainer(self)
        made: str = trainer.world.told(lambda: make_repository_of(trainer, token=token, private=private))
        self.hub_model_id: str | None = made

    def push_to_hub(
        self,
        commit_message: str = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **card: Any,
    ) -> Any:
        """Upload the model, its preprocessor and its card; returns the address of the commit.

        Args:
            blocking: wait for it; else a Future is returned, and the model may not change meanwhile.
            card: see `create_model_card`.

        Raises:
            AccessDenied, Unreachable, NotFound: the hub refuses or does not answer.
        """
        from modelry_trainer.publishing.pushing import in_background, push

        trainer = _trainer(self)
        trainer.tell("on_push_begin")
        if getattr(self, "hub_model_id", None) is None:
            self.init_hf_repo(token, private)
        if self.uploads is not None:
            self.uploads.finish()

        def upload() -> str | None:
            return push(trainer, message=commit_message, token=token, revision=revision, card=card)

        return upload() if blocking else in_background(upload)

    def begin_uploads(self) -> None:
        """What push_to_hub=True asks for: the repository is made now, checkpoints go there on the way."""
        from modelry_trainer.publishing.pushing import HubCallback, uploads_of

        if self.args.push_to_hub:
            self.init_hf_repo()
            if self.is_world_process_zero():
                self.uploads = uploads_of(_trainer(self))
                _trainer(self).add_callback(HubCallback(_trainer(self), self.uploads))

    # A search

    def hyperparameter_search(
        self,
        hp_space: Any = None,
        compute_objective: Callable[[dict[str, float]], float] | None = None,
        n_trials: int = 20,
        direction: str = "minimize",
        backend: str | None = None,
        hp_name: Callable[[Any], str] | None = None,
        **options: Any,
    ) -> Any:
        """Train again and again with other arguments, each time a new model of model_init; the best is returned.

        Args:
            hp_space: trial -> {argument: value}, where trial has suggest_float, suggest_int and suggest_categorical;
                or {argument: its values}. None: learning_rate, num_train_epochs, seed and the batch size.
            compute_objective: metrics of an evaluation -> a number. None: the sum of the metrics, else the loss.
            direction: "minimize" or "maximize".
            backend: "random" (None is the same), "grid" (all combinations, at most n_trials), or "optuna".
            hp_name: trial -> name of its folder in output_dir; "run-<number>" when None.
            options: of the backend; optuna's study takes some.

        Returns:
            run_id, objective and hyperparameters of the best trial.

        Raises:
            ArgumentsError: there is no model_init, no such backend, or no trial gave an objective.
        """
        from modelry_trainer.searching.search import search

        return search(
            _trainer(self),
            hp_space=hp_space,
            compute_objective=compute_objective,
            n_trials=n_trials,
            direction=direction,
            backend=backend,
            hp_name=hp_name,
            **options,
        )

    def call_model_init(self, trial: Any = None) -> nn.Module:
        """A new model; a model_init that takes an argument gets the trial of the search, or None."""
        make: Any = _trainer(self).model_init
        given = trial if trial is not None else self.trial
        made: nn.Module = opened(make(given) if inspect.signature(make).parameters else make())
        return made

    # Figures, and what the model calls things

    @property
    def main_input_name(self) -> str:
        """The argument of forward that carries the input."""
        return str(getattr(unwrapped(self.model), "main_input_name", "input_ids"))

    @property
    def label_names(self) -> list[str]:
        """The arguments of forward that are labels."""
        return self.args.label_names or label_columns(self.model)

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> float:
        """Of one pass forth and back: six for each parameter that is no embedding, and element of the main input."""
        main = inputs.get(_trainer(self).main_input_name)
        return 0.0 if main is None else 6.0 * main.numel() * self._multiplied()

    def num_examples(self, dataloader: Any) -> int:
        """Rows that a loader reads; where its data does not say, batches times their size."""
        try:
            return len(dataloader.dataset)
        except (AttributeError, TypeError):
            return len(dataloader) * int(self.args.per_device_train_batch_size)

    def get_num_trainable_parameters(self) -> int:
        """Numbers that the training may change."""
        return sum(one.numel() for one in self.model.parameters() if one.requires_grad)

    def get_learning_rate(self) -> float:
        """Of the first group of parameters."""
        return float(_trainer(self).optimizer.param_groups[0]["lr"])

    def get_learning_rates(self) -> list[float]:
        """Of each group of parameters."""
        return [float(group["lr"]) for group in _trainer(self).optimizer.param_groups]

    def get_optimizer_group(self, param: Any = None) -> Any:
        """The group that a parameter is in, or the parameters of all groups."""
        groups = _trainer(self).optimizer.param_groups
        if param is None:
            return [group["params"] for group in groups]
        return next((group for group in groups if any(one is param for one in group["params"])), None)

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """Parameters that weight_decay pulls towards zero: no biases, no norms."""
        return decayed_names(model)

    def get_total_train_batch_size(self, args: Any = None) -> int:
        """Rows of one step, of all processes together; those that divide a layer between them read the same rows."""
        given = self.args if args is None else args
        return int(given.train_batch_size * given.gradient_accumulation_steps * _trainer(self).world.data_size)

    def is_world_process_zero(self) -> bool:
        """Whether this process is the one that writes."""
        return bool(self.state.is_world_process_zero)

    def is_local_process_zero(self) -> bool:
        """Whether this process is the first of its machine."""
        return bool(self.state.is_local_process_zero)

    # Names that subclasses of the ecosystem call

    @property
    def accelerator(self) -> Any:
        """backward, unwrap_model and others, by the trainer's own means."""
        from modelry_trainer.acceleration import Acceleration

        return Acceleration(_trainer(self))

    is_in_train = False
    """Whether `train` runs."""
    current_gradient_accumulation_steps = 1
    """Parts of the step that is computed."""
    is_deepspeed_enabled = False

    @property
    def is_fsdp_enabled(self) -> bool:
        """Whether processes share the parameters."""
        return self.args.sharding is not None

    @property
    def model_accepts_loss_kwargs(self) -> bool:
        """Whether the model divides its loss by num_items_in_batch itself."""
        return takes_item_count(self.model)

    @property
    def label_smoother(self) -> Callable[..., Tensor] | None:
        """(outputs, labels, shift_labels, num_items_in_batch) -> the loss with smoothed labels; None without them."""
        smoothing = self.args.label_smoothing_factor

        def smoothed(
            outputs: Any, labels: Tensor, shift_labels: bool = False, num_items_in_batch: Any = None
        ) -> Tensor:
            logits = scores_of(outputs, labelled=False)
            return smoothed_cross_entropy(
                logits, labels, smoothing=smoothing, shifted=shift_labels, num_items_in_batch=num_items_in_batch
            )

        return smoothed if smoothing else None

    def prepare_inputs(self, inputs: Any) -> Any:
        """A batch on the device."""
        return to_device(inputs, _trainer(self).device)

    def _prepare_inputs(self, inputs: Any) -> Any:
        """A batch on the device: what every step asks for, by the name that subclasses override."""
        return _trainer(self).prepare_inputs(inputs)

    def compute_loss_context_manager(self) -> Any:
        """The precision in which a loss is computed."""
        return precision.autocast(self.args, _trainer(self).device)

    autocast_smart_context_manager = compute_loss_context_manager

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str = "",
        prediction_loss_only: bool | None = None,
        ignore_keys: Sequence[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        """One pass over a loader: predictions, label_ids, metrics, num_samples. With batch_eval_metrics only what is
        described as "Prediction" keeps predictions."""
        from modelry_trainer.evaluation import evaluate_over

        only = self.args.prediction_loss_only if prediction_loss_only is None else prediction_loss_only
        return evaluate_over(
            _trainer(self),
            dataloader,
            prefix=metric_key_prefix,
            loss_only=only,
            keeps=description == "Prediction",
            ignore_keys=ignore_keys,
        )

    def _multiplied(self) -> int:
        """Parameters that every element of the input is multiplied with, counted once for each model."""
        model = unwrapped(self.model)
        known: tuple[int, int] | None = getattr(self, "_counted", None)
        if known is None or known[0] != id(model):
            count: Any = getattr(model, "num_parameters", None)
            number = 0 if count is None else int(count(exclude_embeddings=True))
            self._counted = known = (id(model), number)
        return known[1]


def _trainer(self: Surroundings) -> Any:
    """The whole trainer, which this is a part of."""
    return self
