"""Where a training stands: what callbacks see, what they may ask for, and what only the loop needs to go on exactly."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass
class TrainerState:
    """What callbacks see. Names and meaning are the ecosystem's; written as trainer_state.json."""

    epoch: float = 0.0
    global_step: int = 0
    max_steps: int = 0
    logging_steps: int = 500
    eval_steps: int = 500
    save_steps: int = 500
    train_batch_size: int | None = None
    num_train_epochs: int = 0
    num_input_tokens_seen: int = 0
    total_flos: float = 0.0
    log_history: list[dict[str, Any]] = field(default_factory=list)
    best_metric: float | None = None
    best_global_step: int | None = None
    best_model_checkpoint: str | None = None
    is_local_process_zero: bool = True
    is_world_process_zero: bool = True
    is_hyper_param_search: bool = False
    trial_name: str | None = None
    trial_params: dict[str, Any] | None = None
    stateful_callbacks: dict[str, Any] = field(default_factory=dict)
    skipped_steps: int = 0
    """Our own: steps that were left out since their loss was no number (nan_loss="skip")."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    def save_to_json(self, json_path: str | Path) -> None:
        """Write it as trainer_state.json is."""
        Path(json_path).write_text(json.dumps(self.to_dict(), indent=2), encoding="utf-8")

    @classmethod
    def load_from_json(cls, json_path: str | Path) -> Self:
        """Read a trainer_state.json."""
        return cls.from_dict(json.loads(Path(json_path).read_text(encoding="utf-8")))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From plain data; names that this version does not know are left out."""
        known = {one.name for one in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass
class TrainerControl:
    """What callbacks ask the loop for; the loop takes each wish back when it has done it."""

    should_training_stop: bool = False
    should_epoch_stop: bool = False
    should_save: bool = False
    should_evaluate: bool = False
    should_log: bool = False

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": dataclasses.asdict(self), "attributes": {}}


@dataclass
class Place:
    """Where the loop is, in a form that is exact: kept in every checkpoint, and not for callbacks."""

    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that have been trained on."""
    parts: int = 1
    """Into how many each batch is divided since memory ran out (auto_find_batch_size)."""
    loss_since_log: float = 0.0
    steps_since_log: int = 0
    loss_total: float = 0.0
    steps_total: int = 0
    last_logged: int = 0
    norm: float | None = None
    rate: float = 0.0
    """Of the last step: the length of the gradients, and the learning rate."""
    due: list[str] = field(default_factory=list)
    """Wishes of the last step that are still open: its evaluation has failed."""
    epoch_is_over: bool = False
    epoch_is_stopped: bool = False
    epoch_is_cut: bool = False
    """The training has ended before the epoch: one that goes on from here has the rest of its rows to read."""
    epoch_started: Any = None
    """States of all generators of random numbers when the epoch began, for data that is replayed."""
