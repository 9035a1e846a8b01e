"""`Seq2SeqTrainer`: predictions are texts that the model writes, not scores under the right answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import nn

from modelry.generation import GenerationConfig
from modelry_trainer.arguments import TrainingArguments
from modelry_trainer.trainer import Trainer


class Seq2SeqTrainingArguments(TrainingArguments):
    """And how predictions are generated (predict_with_generate)."""

    predict_with_generate: bool = False
    generation_max_length: int | None = Field(None, gt=0)
    generation_num_beams: int | None = Field(None, gt=0)
    generation_config: Any = None
    """A GenerationConfig, or the folder or repository of one; the model's when None."""

    @field_validator("generation_config")
    @classmethod
    def _says_how(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, str | Path | GenerationConfig):
            raise ValueError(
                f"generation_config is {value!r}; a GenerationConfig, or the folder or repository of one, is needed"
            )
        return value


class Seq2SeqTrainer(Trainer):
    """Evaluates and predicts with `generate`; what training does is the same."""

    _asked: dict[str, Any] | None = None

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: Sequence[str] | None = None,
        metric_key_prefix: str = "eval",
        **generation: Any,
    ) -> dict[str, float]:
        """As `Trainer.evaluate`; what else is given goes to `generate`."""
        if not generation:  # also the call for each of several data sets, inside of one that was given something
            return super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        self._asked = generation
        try:
            return super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        finally:
            self._asked = None

    def predict(
        self,
        test_dataset: Any,
        ignore_keys: Sequence[str] | None = None,
        metric_key_prefix: str = "test",
        **generation: Any,
    ) -> Any:
        """As `Trainer.predict`; what else is given goes to `generate`."""
        self._asked = generation
        try:
            return super().predict(test_dataset, ignore_keys, metric_key_prefix)
        finally:
            self._asked = None

    def prediction_step(
        self,
        model: nn.Module,
        inputs: Any,
        prediction_loss_only: bool,
        ignore_keys: Sequence[str] | None = None,
    ) -> tuple[Any, Any, Any]:
        """The loss under the right answer, and the ids of what the model writes itself."""
        args: Any = self.args
        if not getattr(args, "predict_with_generate", False) or prediction_loss_only:
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        given = self._prepare_inputs(inputs)
        left_out = {*self.label_names, "decoder_input_ids", "decoder_attention_mask"}
        prompt = {name: value for name, value in given.items() if name not in left_out}
        with torch.no_grad():
            written = model.generate(**prompt, **self._generation())  # type: ignore[operator]  # a module's attribute
        loss, _, labels = super().prediction_step(model, inputs, True, ignore_keys)
        answer = given.get(next(iter(self.label_names), "labels"))
        return loss, written, labels if labels is not None else answer

    def _generation(self) -> dict[str, Any]:
        args: Any = self.args
        asked: dict[str, Any] = {}
        if args.generation_config is not None:
            asked["generation_config"] = _loaded(args.generation_config)
        if args.generation_max_length is not None:
            asked["max_length"] = args.generation_max_length
        if args.generation_num_beams is not None:
            asked["num_beams"] = args.generation_num_beams
        asked |= self._asked or {}
        if "max_new_tokens" in asked:
            asked.pop("max_length", None)
        return asked


def _loaded(config: Any) -> Any:
    return GenerationConfig.from_pretrained(config) if isinstance(config, str | Path) else config
