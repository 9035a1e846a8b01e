"""Answers that a model writes who sees a page and needs no words read for it.

B pages of a batch   N answers to each   P tokens that an answer begins with   L P and the new tokens
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines import Pipeline
from modelry.pipelines.continuing import default_new_tokens
from modelry.pipelines.images import needed_image_processor
from modelry_document_question_answering.asking import Asked
from modelry_document_question_answering.pages import pages_of
from modelry_document_question_answering.parameters import DocumentQuestionAnsweringParameters

_OPENS = re.compile(r"<s_(\w+)>$")
"""The tag of a field that a prompt leaves open: the answer's."""
Features = Mapping[str, Any]


class Writing:
    """What the pipeline does with a model that writes answers.

    Args:
        pipe: the pipeline, whose model has an image encoder and a text decoder.
    """

    def __init__(self, pipe: Pipeline[Any]) -> None:
        self.model, self.tokenizer = pipe.model, pipe.needed_tokenizer()
        self.images = needed_image_processor(pipe)

    def pieces(self, asked: Asked, parameters: DocumentQuestionAnsweringParameters) -> Iterator[Features]:
        """A piece for each page.

        Raises:
            PreprocessorError: there is no picture, or words are given, which this model does not read.
        """
        if asked.word_boxes is not None or asked.image is None:
            raise PreprocessorError(
                f"{type(self.model).__name__} sees the page itself: give an image and no word_boxes"
            )
        start = parameters.task_prompt.replace("{question}", asked.question)
        ids = self.tokenizer(start, add_special_tokens=False)["input_ids"]
        for page in pages_of(asked.image, parameters):
            made = self.images([page.picture], return_tensors="pt")
            seen = {name: value[0] for name, value in made.items() if name == self.model.main_input_name}
            yield {**seen, "decoder_input_ids": torch.tensor(ids), "page": page.number}

    def forward(self, batch: dict[str, Tensor], parameters: DocumentQuestionAnsweringParameters) -> Features:
        """New tokens of every page, (B, N, L - P)."""
        start = batch["decoder_input_ids"]  # (B, P)
        options = dict(parameters.generation)
        new = default_new_tokens(self.model, start.shape[1], options)
        if new is not None:
            options["max_new_tokens"] = new
        sequences = self.model.generate(**{**batch, **options, "tokenizer": self.tokenizer})  # (B N, L)
        return {"sequences": sequences[:, start.shape[1] :].view(len(start), -1, sequences.shape[1] - start.shape[1])}

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: DocumentQuestionAnsweringParameters) -> Any:
        """The answers of every page, page by page: what is written has no score by which pages could be compared."""
        return [
            {"answer": self._text(row.tolist(), parameters), "page": output["page"]}
            for output in outputs
            for row in output["sequences"]
        ]

    def _text(self, ids: list[int], parameters: DocumentQuestionAnsweringParameters) -> str | None:
        """The answer; None where the model did not close its field, as published."""
        opened = _OPENS.search(parameters.task_prompt)
        closing = None if opened is None else f"</s_{opened[1]}>"
        if closing not in self.tokenizer.added_tokens_encoder:
            return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        end = self.tokenizer.added_tokens_encoder[closing]
        if end not in ids:
            return None
        return str(self.tokenizer.decode(ids[: ids.index(end)], skip_special_tokens=True)).strip()


def alike(features: Features) -> Hashable:
    """Equal for pieces that can share a batch: padding would change what a model sees, or where an answer begins."""
    return frozenset(
        (name, value.shape if name != "input_ids" else None)
        for name, value in features.items()
        if isinstance(value, Tensor) and name not in ("attention_mask", "bbox", "token_type_ids")
    )
