"""What push_to_hub and the hub_ arguments ask for: a repository, the model in it, and checkpoints on the way."""

import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelry.uploading import make_repository, push_folder
from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.publishing.card import write_card
from modelry_trainer.publishing.uploads import Uploads

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.state import TrainerControl, TrainerState
    from modelry_trainer.trainer import Trainer


class HubCallback(TrainerCallback):
    """Uploads each checkpoint when it has been written, as hub_strategy says."""

    def __init__(self, trainer: "Trainer", uploads: Uploads) -> None:
        self.trainer, self.uploads = trainer, uploads

    def on_save(self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **more: Any) -> None:
        """Begin an upload, unless one still runs (hub_always_push: after that one)."""
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        idle = args.hub_always_push or not self.uploads.are_running
        if not state.is_world_process_zero or args.hub_strategy == "end" or not idle or not checkpoint.is_dir():
            return
        self.trainer.tell("on_push_begin")
        folders = {"checkpoint": "last-checkpoint", "all_checkpoints": checkpoint.name}
        self.uploads.begin(
            checkpoint,
            message=f"Training in progress, step {state.global_step}",
            whole_under=folders.get(args.hub_strategy),
        )

    def on_train_end(
        self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **more: Any
    ) -> None:
        """Wait until everything is there."""
        self.uploads.finish()


def make_repository_of(trainer: "Trainer", *, token: str | None = None, private: bool | None = None) -> str:
    """The repository that the arguments name, or the last part of output_dir, created when missing; its whole name."""
    args = trainer.args
    name = args.hub_model_id or Path(args.output_dir).absolute().name
    wanted = args.hub_private_repo if private is None else private
    return make_repository(name, private=wanted, token=token or args.hub_token)


def uploads_of(trainer: "Trainer") -> Uploads:
    """For the checkpoints on the way."""
    args = trainer.args
    return Uploads(str(trainer.hub_model_id), token=args.hub_token, revision=args.hub_revision)


def push(
    trainer: "Trainer", *, message: str, token: str | None, revision: str | None, card: dict[str, Any]
) -> str | None:
    """Upload the model, its preprocessor and its card as one commit; returns the commit's address.

    All processes hold a part of the model and save it together; the first uploads it.
    """
    args = trainer.args
    with tempfile.TemporaryDirectory() as folder:
        trainer.save_model(folder, _internal_call=True)
        if not trainer.is_world_process_zero():
            return None
        write_card(trainer, Path(folder), **{"model_name": str(trainer.hub_model_id).rpartition("/")[2], **card})
        return push_folder(
            folder,
            str(trainer.hub_model_id),
            message=message,
            token=token or args.hub_token,
            revision=args.hub_revision if revision is None else revision,
        )


def in_background(work: Callable[[], Any]) -> Future[Any]:
    """Run it in a thread of its own, which a program's end waits for."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="upload")
    try:
        return worker.submit(work)
    finally:
        worker.shutdown(wait=False)
