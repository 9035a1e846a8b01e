"""Texts in, the hidden states of their tokens out.

B texts of a batch   T tokens   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.texts import encode_text, read_text
from modelry_feature_extraction.parameters import FeatureExtractionParameters


class FeatureExtractionPipeline(Pipeline[FeatureExtractionParameters]):
    """Give the hidden states of texts: nested lists (1, T, D), or tensors."""

    parameters_class: ClassVar[type[TaskParameters]] = FeatureExtractionParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()

    def preprocess(self, item: Any, parameters: FeatureExtractionParameters) -> Mapping[str, Any]:
        return encode_text(self._tokenizer, read_text(item), None, parameters, **parameters.tokenize_kwargs)

    def forward(self, batch: dict[str, Tensor], parameters: FeatureExtractionParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = {**batch, **self.without_cache}
        hidden = self.model(**arguments).last_hidden_state.float()  # (B, T, D)
        mask = batch.get("attention_mask")
        return {
            "hidden": list(hidden)
            if mask is None
            else [one[real.bool()] for one, real in zip(hidden, mask, strict=True)]
        }

    def postprocess(self, output: dict[str, Any], parameters: FeatureExtractionParameters) -> Any:
        hidden: Tensor = output["hidden"].cpu()[None]  # (1, T, D)
        return hidden.clone() if parameters.return_tensors else hidden.tolist()
