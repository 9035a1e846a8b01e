"""One family at its tiny size: its configuration, its models with weights that show mistakes, and inputs for them.

B batch   T positions   V vocabulary
"""

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelry import ModelConfig, PreTrainedModel
from modelry.errors import ModelryWarning
from modelry.outputs import ModelOutput
from modelry_registry import ModelFamily, resolve
from modelry_testing.errors import ContractBroken
from modelry_testing.scratch import new_folder

Inputs = dict[str, Tensor]
PREFERRED = ("causal-lm", "seq2seq-lm", "base")
SEED = 20


class Subject:
    """What the checks of one family share. Models are made once, and handed out as copies.

    Args:
        make_inputs: of a configuration, rows and positions.
        make_labels: of a head, a configuration and the head's inputs.
        guessed: inputs are nobody's but the kit's: what needs those that a head does not take is skipped.
    """

    def __init__(
        self,
        family: ModelFamily,
        values: Mapping[str, Any],
        *,
        make_inputs: Callable[[ModelConfig, int, int], Inputs],
        make_labels: Callable[[str, ModelConfig, Inputs], Inputs],
        tolerance: float,
        guessed: bool = False,
    ) -> None:
        self.family = family
        self.values = values
        self.make_inputs = make_inputs
        self.make_labels = make_labels
        self.tolerance = tolerance
        self.guessed = guessed
        self._refusals: dict[str, str] = {}
        self._models: dict[str, PreTrainedModel] = {}
        self._folder = new_folder()

    # What the family names

    def config(self, **changes: Any) -> ModelConfig:
        """A fresh configuration of the tiny model, with some values changed."""
        return self.config_class.from_dict({**copy.deepcopy(dict(self.values)), **changes})

    @property
    def config_class(self) -> type[ModelConfig]:
        """The class that reads the family's config.json."""
        found = resolve(self.family.config)
        if not (isinstance(found, type) and issubclass(found, ModelConfig)):
            raise ContractBroken(f"{self.family.config} is not a modelry.ModelConfig")
        return found

    def head_class(self, head: str) -> type[PreTrainedModel]:
        """The model class of a head."""
        found = resolve(self.family.heads[head])
        if not (isinstance(found, type) and issubclass(found, PreTrainedModel)):
            raise ContractBroken(f"{self.family.heads[head]} is not a modelry.PreTrainedModel")
        return found

    @property
    def head(self) -> str:
        """The head that checks of the whole model use: the most telling one that the family has."""
        whole = PREFERRED[1:] if self.config().is_encoder_decoder else PREFERRED  # not its decoder alone
        return next((one for one in whole if one in self.family.heads), next(iter(self.family.heads)))

    # Models and inputs

    def model(self, head: str | None = None) -> PreTrainedModel:
        """A float32 model in eval mode, with the same weights every time."""
        head = head or self.head
        if head not in self._models:
            self._models[head] = told_apart(self.head_class(head).from_config(self.config())).eval()
        return copy.deepcopy(self._models[head])

    def saved(self, head: str | None = None) -> Path:
        """A folder that `model(head)` was saved into."""
        head = head or self.head
        folder = self._folder / head
        if not folder.exists():
            self.model(head).save_pretrained(folder)
        return folder

    def inputs(self, rows: int = 2, length: int = 9, *, head: str | None = None) -> Inputs:
        """Inputs of the tiny model, the same every time; without a mask, because nothing is padded.

        Args:
            head: which takes them; a side of a model takes the inputs of its own, and one that classifies pictures no
                texts.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            inputs = self.make_inputs(self.config(), rows, length)
        head = head or self.head
        takes = inspect.signature(self.head_class(head).forward).parameters
        if head == "image-classification" and "pixel_values" in inputs:
            inputs = {"pixel_values": inputs["pixel_values"]}
        elif not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values()):
            inputs = {name: value for name, value in inputs.items() if name in takes}
        if self.guessed:
            self._try(head, inputs)
        return inputs

    def _try(self, head: str, inputs: Inputs) -> None:
        """Run a head once.

        Raises:
            pytest.skip.Exception: it does not take the inputs.
        """
        if head not in self._refusals:
            model, self._refusals[head] = self.model(head), ""
            try:
                with torch.inference_mode():
                    model(**inputs)
            except Exception as error:
                self._refusals[head] = f"{type(error).__name__}: {error}"
        if self._refusals[head]:
            pytest.skip(
                f"the {head} head does not take {' and '.join(inputs) or 'nothing'} as the kit makes them "
                f"({self._refusals[head]}): give `inputs(config, rows, length)` in the family's test class"
            )

    def inputs_of(self, head: str) -> Inputs:
        """Inputs for one head; a head that reads one position of each row is told that nothing is padded.

        A head that chooses gets three choices, (B, 3, T).
        """
        inputs = self.inputs(head=head)
        if head == "sequence-classification" and "input_ids" in inputs:
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
            if self.config().is_encoder_decoder:  # read at the end token
                end: Any = self.config().eos_token_id
                inputs["input_ids"][:, -1] = end
                inputs["decoder_input_ids"] = inputs["input_ids"].roll(1, dims=1)
        if head == "multiple-choice":
            inputs = {name: torch.stack([one, one.flip(-1), one.flip(0)], dim=1) for name, one in inputs.items()}
        return inputs

    def labels(self, head: str, inputs: Inputs) -> Inputs:
        """What a head is trained on, for these inputs; empty where it has no loss."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED + 1)
            return self.make_labels(head, self.config(), inputs)


def told_apart(model: PreTrainedModel, *, seed: int = SEED) -> PreTrainedModel:
    """Give every parameter random values large enough that a wrong position, a leak or a missing bias shows.

    A fresh model will not do: its norms are ones, its biases zeros, and its attention is nearly uniform.
    """
    embeddings = {one.weight for one in model.modules() if isinstance(one, nn.Embedding)}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in dict.fromkeys(model.parameters()):
            noise = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
            if parameter.ndim < 2:
                parameter.add_(noise, alpha=0.1)
            elif parameter in embeddings:
                parameter.copy_(noise)
            else:
                parameter.copy_(noise * parameter[0].numel() ** -0.5)
    return model


def main_output(output: Any) -> Tensor:
    """The logits, or the last hidden state, or texts compared with something else, or whatever comes first."""
    for key in ("logits", "last_hidden_state", "text_embeds"):
        value = getattr(output, key, None)
        if isinstance(value, Tensor):
            return value
    values = [part for one in output.to_tuple() for part in (one if isinstance(one, tuple) else (one,))]
    return next(one for one in values if isinstance(one, Tensor) and one.ndim > 0)


def floating(value: Any) -> Iterator[Tensor]:
    """Yield every floating tensor of an output, those inside tuples and inner outputs too."""
    if isinstance(value, Tensor):
        if value.is_floating_point() and value.numel():
            yield value
    elif isinstance(value, ModelOutput | tuple | list):
        for one in value.to_tuple() if isinstance(value, ModelOutput) else value:
            yield from floating(one)


def quietly(call: Callable[[], Any]) -> Any:
    """What `call` returns, with our own warnings held back: the check expects them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelryWarning)
        return call()


def distance(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value where that is above one."""
    if found.shape != expected.shape:
        raise ContractBroken(f"the shape is {tuple(found.shape)}, and should be {tuple(expected.shape)}")
    if found.numel() == 0:
        return 0.0
    scale = max(1.0, float(expected.detach().abs().max()))
    return float((found.detach().double() - expected.detach().double()).abs().max()) / scale


def same(found: Tensor, expected: Tensor, *, tolerance: float, what: str) -> None:
    """Raise ContractBroken where two results differ by more than `tolerance`, or where one is not finite."""
    apart = distance(found, expected)
    if not apart <= tolerance:  # a NaN is never within
        raise ContractBroken(f"{what}: the results differ by {apart:.2g}, and {tolerance:.0e} is allowed")
