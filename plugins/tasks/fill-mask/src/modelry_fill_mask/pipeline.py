"""Texts with masks in, what may stand under them out.

B texts of a batch   T tokens   V vocabulary   M masks of a text
"""

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import ModelryWarning, PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.texts import encode_text, read_text
from modelry_fill_mask.parameters import FillMaskParameters

Proposal = dict[str, Any]


class FillMaskPipeline(Pipeline[FillMaskParameters]):
    """Propose words for the masks of a text.

    A text with one mask is answered by `[{"score", "token", "token_str", "sequence"}, …]`, the most likely first; one
    with several by such a list for each. Scores are those of each mask by itself, the others staying masked.
    """

    parameters_class: ClassVar[type[TaskParameters]] = FillMaskParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()
        if self._tokenizer.mask_token_id is None:
            raise PreprocessorError(f"{self.task} needs a tokenizer with a mask_token, and this one has none")
        self._mask_id: int = self._tokenizer.mask_token_id

    def preprocess(self, item: Any, parameters: FillMaskParameters) -> Mapping[str, Any]:
        text = read_text(item)
        features = encode_text(self._tokenizer, text, None, parameters, **parameters.tokenizer_kwargs)
        ids = features["input_ids"]
        if not bool((ids == self._mask_id).any()):
            raise PreprocessorError(f"the text has no {self._tokenizer.mask_token}, so there is nothing to fill")
        return {**features, "ids": ids.tolist()}

    def forward(self, batch: dict[str, Tensor], parameters: FillMaskParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        logits = self.model(**arguments).logits  # (B, T, V)
        masks = batch["input_ids"] == self._mask_id
        return {"logits": [one[here].float().cpu() for one, here in zip(logits, masks, strict=True)]}  # B of (M, V)

    def postprocess(self, output: dict[str, Any], parameters: FillMaskParameters) -> Any:
        scores: Tensor = output["logits"].softmax(-1)  # (M, V)
        targets = None if parameters.targets is None else torch.tensor(self._target_ids(parameters.targets))
        if targets is not None:
            scores = scores[:, targets]
        best = scores.topk(min(parameters.top_k, scores.shape[1]))
        ids: list[int] = output["ids"]
        places = [place for place, token in enumerate(ids) if token == self._mask_id]
        answers = []
        for place, values, numbers in zip(places, best.values.tolist(), best.indices, strict=True):
            tokens = (numbers if targets is None else targets[numbers]).tolist()
            answers.append(
                [
                    self._proposal(ids, place, token, score, alone=len(places) == 1)
                    for token, score in zip(tokens, values, strict=True)
                ]
            )
        return answers[0] if len(answers) == 1 else answers

    def display(self, answer: Any) -> str:
        lists = [answer] if isinstance(answer[0], Mapping) else answer
        return "\n\n".join("\n".join(f"{one['score']:.4f}  {one['sequence']}" for one in rows) for rows in lists)

    def _proposal(self, ids: list[int], place: int, token: int, score: float, *, alone: bool) -> Proposal:
        """One word and the text with it; where other masks remain, they are shown."""
        filled = [*ids[:place], token, *ids[place + 1 :]]
        return {
            "score": score,
            "token": token,
            "token_str": self._tokenizer.decode([token]),
            "sequence": self._tokenizer.decode(filled, skip_special_tokens=alone),
        }

    def _target_ids(self, targets: str | list[str]) -> list[int]:
        """The tokens of words; of a word that is several, the first, with a warning.

        Raises:
            PreprocessorError: none of the words becomes a token.
        """
        found: dict[int, None] = {}
        for word in [targets] if isinstance(targets, str) else targets:
            known: int | None = self._tokenizer.get_vocab().get(word)
            if known is None:
                pieces = self._tokenizer(word, add_special_tokens=False)["input_ids"]
                became = repr(self._tokenizer.convert_ids_to_tokens(pieces[0])) if pieces else "nothing"
                warnings.warn(
                    f"the target {word!r} is no token of the vocabulary: {became} is taken for it",
                    ModelryWarning,
                    stacklevel=2,
                )
                known = pieces[0] if pieces else None
            if known is not None:
                found[known] = None
        if not found:
            raise PreprocessorError(f"none of the targets {targets!r} becomes a token")
        return list(found)
