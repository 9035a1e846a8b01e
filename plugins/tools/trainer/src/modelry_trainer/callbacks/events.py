"""The events of a training, as the ecosystem names them, and the one who calls all listeners in their order."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modelry_trainer.errors import ArgumentsError
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

EVENTS = (
    "on_init_end",
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_step_begin",
    "on_pre_optimizer_step",
    "on_optimizer_step",
    "on_substep_end",
    "on_step_end",
    "on_evaluate",
    "on_predict",
    "on_save",
    "on_log",
    "on_prediction_step",
    "on_push_begin",
)


def _event(name: str) -> Any:
    def listen(
        self: object, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> TrainerControl | None:
        return None

    listen.__name__ = name
    listen.__doc__ = f"Called at {name.removeprefix('on_').replace('_', ' ')}; may change and return `control`."
    return listen


class TrainerCallback:
    """Listens to a training. Override the events that matter.

    Each gets (args, state, control, **more), where more has model, processing_class, optimizer, lr_scheduler,
    train_dataloader, eval_dataloader, and for some events logs or metrics. One that has `state()` and attributes to
    keep returns {"args": {...}, "attributes": {...}} there: a checkpoint keeps them.
    """


for _name in EVENTS:
    setattr(TrainerCallback, _name, _event(_name))


_TOLD = {"on_evaluate": "metrics", "on_predict": "metrics", "on_log": "logs"}
"""What an event tells of, where it is given without a name."""


class CallbackHandler:
    """Calls every listener, in order; what one returns is the control for the next."""

    def __init__(self, callbacks: Iterable[object], *, about: Callable[[], Mapping[str, Any]] = dict) -> None:
        """
        Args:
            about: what every event tells of besides.
        """
        self.callbacks: list[Any] = []
        self._about = about
        self.loaders: dict[str, Any] = {"train_dataloader": None, "eval_dataloader": None}
        """Those that were made last, which every event tells of."""
        for one in callbacks:
            self.add_callback(one)

    def add_callback(self, callback: Any) -> None:
        """Add a listener, or a class of listeners that is made without arguments.

        Raises:
            ArgumentsError: it listens to nothing.
        """
        made = callback() if isinstance(callback, type) else callback
        if not any(hasattr(made, event) for event in EVENTS):
            raise ArgumentsError(f"a callback is {made!r:.60}, which listens to no event: give a TrainerCallback")
        self.callbacks.append(made)

    def pop_callback(self, callback: Any) -> Any:
        """Take a listener out, by itself or by its class; None where there is none."""
        for one in self.callbacks:
            if one is callback or (isinstance(callback, type) and type(one) is callback):
                self.callbacks.remove(one)
                return one
        return None

    remove_callback = pop_callback

    @property
    def callback_list(self) -> str:
        """Names of the listeners' classes, one a line."""
        return "\n".join(type(one).__name__ for one in self.callbacks)

    def call_event(
        self, event: str, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> TrainerControl:
        """Tell all listeners of an event; one that does not know it is passed over."""
        self.loaders |= {name: value for name, value in more.items() if name in self.loaders}
        for one in self.callbacks:
            listen = getattr(one, event, None)
            if listen is not None:
                answer = listen(args, state, control, **{**self._about(), **self.loaders, **more})
                control = control if answer is None else answer
        return control

    def __getattr__(self, event: str) -> Callable[..., TrainerControl]:
        """on_evaluate(args, state, control, metrics) and the others: evaluations of one's own tell of themselves so."""
        if event not in EVENTS:
            raise AttributeError(f"{type(self).__name__} has no {event}")

        def tell(args: Any, state: TrainerState, control: TrainerControl, *told: Any, **more: Any) -> TrainerControl:
            if told:
                (more[_TOLD[event]],) = told
            return self.call_event(event, args, state, control, **more)

        return tell

    def states(self) -> dict[str, Any]:
        """What listeners want a checkpoint to keep, by the name of their class."""
        kept: dict[str, Any] = {}
        for one in self.callbacks:
            if hasattr(one, "state"):
                kept.setdefault(type(one).__name__, []).append(one.state())
        return kept

    def restore(self, kept: dict[str, Any], *, arguments_too: bool) -> None:
        """Give listeners back what a checkpoint has of them.

        Args:
            arguments_too: what they were made with also, over what they were made with now.
        """
        taken: dict[str, int] = {}
        for one in self.callbacks:
            name = type(one).__name__
            number = taken.get(name, 0)
            taken[name] = number + 1
            if hasattr(one, "state") and number < len(kept.get(name, ())):
                values = kept[name][number]
                for key, value in {**(values["args"] if arguments_too else {}), **values["attributes"]}.items():
                    setattr(one, key, value)
