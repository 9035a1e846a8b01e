"""Texts and pairs of texts in, labels and their scores out.

B texts of a batch   T tokens   C labels
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.texts import encode_text, read_pair
from modelry_text_classification.parameters import TextClassificationParameters


class TextClassificationPipeline(Pipeline[TextClassificationParameters]):
    """Give texts their labels.

    A text, or a row with a `text` and perhaps a `text_pair`, is answered by its best label,
    `{"label": …, "score": …}`, alone in a list where one text was asked about; with `top_k` by a list of so many, the
    best first.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TextClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As every pipeline; the answer to one text without `top_k` is a list all the same, as published."""
        answer = super().__call__(inputs, **options)
        return [answer] if isinstance(inputs, str) and isinstance(answer, dict) else answer

    def preprocess(self, item: Any, parameters: TextClassificationParameters) -> Mapping[str, Any]:
        features = encode_text(self._tokenizer, *read_pair(item), parameters)
        if not len(features["input_ids"]):
            raise PreprocessorError("the text has no tokens: there is nothing to classify")
        return features

    def forward(self, batch: dict[str, Tensor], parameters: TextClassificationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = {**batch, **self.without_cache}
        return {"logits": self.model(**arguments).logits}  # (B, C)

    def postprocess(self, output: dict[str, Any], parameters: TextClassificationParameters) -> Any:
        logits = output["logits"].float()  # (C,)
        function = parameters.function_to_apply or self._fitting_function()
        if function == "sigmoid":
            logits = logits.sigmoid()
        elif function == "softmax":
            logits = logits.softmax(-1)
        names = self.model.config.id2label
        labels = [{"label": names[number], "score": score} for number, score in enumerate(logits.tolist())]
        labels.sort(key=lambda label: -label["score"])
        if "top_k" not in parameters.model_fields_set:
            return labels[0]
        return labels[: parameters.top_k]

    def display(self, answer: Any) -> str:
        labels = [answer] if isinstance(answer, Mapping) else answer
        return "\n".join(f"{label['score']:.4f}  {label['label']}" for label in labels)

    def _fitting_function(self) -> str:
        config = self.model.config
        if config.problem_type == "regression":
            return "none"
        if config.problem_type == "multi_label_classification" or config.num_labels == 1:
            return "sigmoid"
        return "softmax"
