"""The loss of a batch: the model's own, one with smoothed labels, or a function of the user's."""

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from modelry.model import PreTrainedModel
from modelry_trainer import accumulation
from modelry_trainer.errors import ArgumentsError, TrainingError
from modelry_trainer.losses import scores_of, smoothed_cross_entropy
from modelry_trainer.unpadding import keeps_texts_apart, without_padding

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.trainer import Trainer


def model_loss(
    model: nn.Module,
    inputs: Mapping[str, Any],
    args: "TrainingArguments",
    num_items_in_batch: Any,
    *,
    func: Callable[..., Tensor] | None,
    outputs_wanted: bool = True,
    part: float = 1.0,
) -> tuple[Tensor, Any, bool]:
    """Run the model.

    Args:
        num_items_in_batch: labels that count in the whole step; None: the mean over this batch is wanted.
        func: of the user: (outputs, labels, num_items_in_batch) -> loss.
        outputs_wanted: where nobody looks at them, the model may leave out all but the loss.
        part: of the step's labels those of this batch: what is no sum over labels counts so much.

    Returns:
        The loss, the outputs, and whether the loss has been divided by num_items_in_batch.

    Raises:
        TrainingError: there is no loss in what the model returns.
    """
    parameters = accumulation.forward_names(model)
    given = dict(inputs)
    if "use_cache" in parameters:
        given.setdefault("use_cache", args.use_cache)
    smooth = args.label_smoothing_factor > 0
    if func is None and not smooth and "labels" in given and _makes_no_loss(model, parameters):
        raise TrainingError(
            f"{type(model).__name__} makes no loss of labels: train it with a head (AutoModelForCausalLM …), or give "
            "Trainer a compute_loss_func"
        )
    whole = num_items_in_batch is not None
    if not smooth and func is None:
        divided = whole and accumulation.takes_item_count(model)
        if divided:
            given["num_items_in_batch"] = num_items_in_batch
        if not outputs_wanted:
            given |= _loss_only(model, inputs, parameters, args)
        outputs = model(**given)
        loss = _loss_of(outputs, given)
        return loss - (1 - part) * _balance(model, outputs) if divided else loss, outputs, divided
    labels: Any = given.get("labels")
    if smooth and labels is None:
        raise ArgumentsError(
            f"label_smoothing_factor is {args.label_smoothing_factor:g}, and a batch has no 'labels' "
            f"({', '.join(inputs)}): leave it out, or make the loss yourself"
        )
    if not _reads_labels(parameters, given):
        given.pop("labels", None)
    outputs = model(**given)
    if func is not None:
        return func(outputs, labels, num_items_in_batch=num_items_in_batch), outputs, whole
    loss = smoothed_cross_entropy(
        scores_of(outputs, labelled="labels" in given),
        labels,
        smoothing=args.label_smoothing_factor,
        shifted=accumulation.shifts_labels(model),
        num_items_in_batch=num_items_in_batch,
    )
    return loss, outputs, whole


def count_for(trainer: "Trainer", inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What `compute_loss` is told of a batch that is evaluated, for a function of the user: its labels that count."""
    if trainer.compute_loss_func is None:
        return {}
    return {"num_items_in_batch": accumulation.counted(inputs, accumulation.weighing_of(trainer.model, by_labels=True))}


def _balance(model: nn.Module, outputs: Any) -> Tensor | float:
    """What a mixture of experts has added to its loss for their balance: of each batch as much as of a whole step."""
    uneven = getattr(outputs, "aux_loss", None)
    config = getattr(accumulation.unwrapped(model), "config", None)
    weight = getattr(config, "router_aux_loss_coef", None)
    return 0.0 if uneven is None or weight is None else weight * uneven


def _reads_labels(parameters: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether a model does not run without labels though another makes the loss: it insists, or decodes them."""
    insists = "labels" in parameters and parameters["labels"].default is Parameter.empty
    return insists or ("decoder_input_ids" in parameters and "decoder_input_ids" not in given)


def _makes_no_loss(model: nn.Module, parameters: Mapping[str, Any]) -> bool:
    """Of a model of ours whose forward has no argument for labels."""
    return isinstance(accumulation.unwrapped(model), PreTrainedModel) and not any(
        "label" in name for name in parameters
    )


def _loss_only(
    model: nn.Module, inputs: Mapping[str, Any], parameters: Mapping[str, Any], args: "TrainingArguments"
) -> dict[str, Any]:
    """What to give the model besides, or in another form, where its loss alone is wanted."""
    config = getattr(accumulation.unwrapped(model), "config", None)
    routed = getattr(config, "output_router_logits", False)  # such a head counts positions by its scores
    changed: dict[str, Any] = {"skip_logits": True} if "skip_logits" in parameters and not routed else {}
    if keeps_texts_apart(model, args):
        changed |= without_padding(inputs) or {}
    return changed


def _loss_of(outputs: Any, inputs: Mapping[str, Any]) -> Tensor:
    if isinstance(outputs, Tensor):
        return outputs
    found: Tensor
    if hasattr(outputs, "keys"):
        if "loss" in outputs.keys():  # noqa: SIM118  our outputs are no mappings
            found = outputs["loss"]
            return found
        raise TrainingError(
            f"the model returned no loss, but {', '.join(outputs.keys())}; it was given {', '.join(inputs)}. Give it "
            "labels, or give Trainer a compute_loss_func"
        )
    found = outputs[0]
    return found
