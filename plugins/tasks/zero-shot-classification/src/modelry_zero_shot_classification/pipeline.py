"""Texts and labels in, the labels in the order in which they fit out.

B pairs of a batch   C classes of the model   N labels
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import ModelryWarning, ParameterError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.texts import encode_text, read_text
from modelry_zero_shot_classification.parameters import ZeroShotClassificationParameters


class ZeroShotClassificationPipeline(Pipeline[ZeroShotClassificationParameters]):
    """Say which labels fit texts.

    A text is answered by `{"sequence", "labels", "scores"}`, the likeliest label first. That a label fits is the
    hypothesis, made by the template; the model says whether it follows from the text.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ZeroShotClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()
        self._follows = self._entailment()

    def __call__(self, inputs: Any, candidate_labels: Any = None, **options: Any) -> Any:
        """As every pipeline; the labels may come second.

        Raises:
            ParameterError: neither the call nor the pipeline names labels.
        """
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        if options.get("candidate_labels", self.defaults.get("candidate_labels")) is None:
            raise ParameterError(f"{self.task!r} needs candidate_labels: a list of labels, or a text with commas")
        return super().__call__(inputs, **options)

    def preprocess(self, item: Any, parameters: ZeroShotClassificationParameters) -> Mapping[str, Any]:
        return next(self.pieces(item, parameters))

    def pieces(self, item: Any, parameters: ZeroShotClassificationParameters) -> Iterator[Mapping[str, Any]]:
        text = read_text(item)
        cut = {"truncation": "only_first"} if parameters.truncation else {}
        for label in parameters.candidate_labels or ():
            hypothesis = parameters.hypothesis_template.replace("{}", label)
            yield {**encode_text(self._tokenizer, text, hypothesis, parameters, **cut), "text": text, "label": label}

    def forward(self, batch: dict[str, Tensor], parameters: ZeroShotClassificationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = {**batch, **self.without_cache}
        return {"logits": self.model(**arguments).logits}  # (B, C)

    def postprocess(self, output: dict[str, Any], parameters: ZeroShotClassificationParameters) -> dict[str, Any]:
        return self.merge([output], parameters)

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: ZeroShotClassificationParameters) -> dict[str, Any]:
        logits = torch.stack([output["logits"].float() for output in outputs])  # (N, C)
        if parameters.multi_label or len(outputs) == 1:
            against = -1 if self._follows == 0 else 0
            scores = logits[:, [against, self._follows]].softmax(-1)[:, 1]
        else:
            scores = logits[:, self._follows].softmax(0)
        order = scores.argsort(descending=True, stable=True)
        return {
            "sequence": outputs[0]["text"],
            "labels": [outputs[number]["label"] for number in order.tolist()],
            "scores": scores[order].tolist(),
        }

    def display(self, answer: Any) -> str:
        return "\n".join(
            f"{score:.4f}  {label}" for label, score in zip(answer["labels"], answer["scores"], strict=True)
        )

    def _entailment(self) -> int:
        """Number of the class that says that the hypothesis follows."""
        names: Mapping[str, int] = self.model.config.label2id
        for name, number in names.items():
            if name.lower().startswith("entail"):
                return number
        warnings.warn(
            f"no label of the model is called entailment ({', '.join(names)}): the last is taken for it",
            ModelryWarning,
            stacklevel=4,
        )
        return len(names) - 1
