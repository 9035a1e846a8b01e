"""Texts in, their entities out.

B windows of a batch   T tokens   C labels
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from modelry.errors import ModelryWarning, PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.texts import read_text, row_features
from modelry_token_classification.aggregation import Entity, Token, each_token, groups, without_overlaps, words
from modelry_token_classification.parameters import TokenClassificationParameters


class TokenClassificationPipeline(Pipeline[TokenClassificationParameters]):
    """Find the entities of texts.

    A text is answered by a list of `{"entity", "score", "index", "word", "start", "end"}`, one for each token, or with
    an aggregation strategy of `{"entity_group", "score", "word", "start", "end"}`, one for each entity.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TokenClassificationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()
        self._prefix: str | None = getattr(self._tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As every pipeline; with is_split_into_words, one list of words is a list of one item, as published."""
        split = options.get("is_split_into_words", self.defaults.get("is_split_into_words"))
        if split and isinstance(inputs, list) and inputs and all(isinstance(word, str) for word in inputs):
            inputs = [inputs]
        return super().__call__(inputs, **options)

    def preprocess(self, item: Any, parameters: TokenClassificationParameters) -> Mapping[str, Any]:
        return next(self.pieces(item, parameters))

    def pieces(self, item: Any, parameters: TokenClassificationParameters) -> Iterator[Mapping[str, Any]]:
        text, given, begins = _read(item, parameters)
        encoding = self._tokenizer(
            [given],
            truncation=True,
            stride=parameters.stride or 0,
            return_overflowing_tokens=True,
            return_special_tokens_mask=True,
            return_offsets_mapping=True,
            is_split_into_words=parameters.is_split_into_words,
        )
        windows = len(encoding["input_ids"])
        if windows > 1 and parameters.stride is None:
            warnings.warn(
                f"a text is longer than the {self._tokenizer.model_max_length} tokens of one window, and only its "
                "beginning is looked at: pass stride= and an aggregation_strategy",
                ModelryWarning,
                stacklevel=2,
            )
            windows = 1
        for row in range(windows):
            offsets = encoding["offset_mapping"][row]
            if begins is not None:
                places = [0 if word is None else begins[word] for word in encoding.word_ids(row)]
                offsets = [(start + at, end + at) for (start, end), at in zip(offsets, places, strict=True)]
            yield {
                **row_features(encoding, self._tokenizer.model_input_names, row),
                "text": text,
                "ids": encoding["input_ids"][row],
                "offsets": offsets,
                "special": encoding["special_tokens_mask"][row],
            }

    def forward(self, batch: dict[str, Tensor], parameters: TokenClassificationParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = {**batch, **self.without_cache}
        scores = self.model(**arguments).logits.float().softmax(-1)  # (B, T, C)
        mask = batch.get("attention_mask")
        rows = scores if mask is None else [one[real.bool()] for one, real in zip(scores, mask, strict=True)]
        return {"scores": [one.cpu() for one in rows]}

    def postprocess(self, output: dict[str, Any], parameters: TokenClassificationParameters) -> list[Entity]:
        strategy, join = parameters.aggregation_strategy, self._tokenizer.convert_tokens_to_string
        tokens = self._tokens(output)
        if strategy not in ("none", "simple"):
            tokens = words(tokens, strategy, join)
        entities = each_token(tokens, self.model.config.id2label)
        if strategy != "none":
            entities = groups(entities, join)
        ignored = set(parameters.ignore_labels)
        return [one for one in entities if one.get("entity", one.get("entity_group")) not in ignored]

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: TokenClassificationParameters) -> list[Entity]:
        entities = [entity for output in outputs for entity in self.postprocess(output, parameters)]
        return without_overlaps(entities) if len(outputs) > 1 else entities

    def display(self, answer: Any) -> str:
        return "\n".join(
            f"{one['start']:>5}-{one['end']:<5} {one['score']:.4f}  {one.get('entity', one.get('entity_group'))}  "
            f"{one['word']}"
            for one in answer
        )

    def _tokens(self, output: Mapping[str, Any]) -> Iterator[Token]:
        """The tokens of a window that are no special ones."""
        text, ids = output["text"], output["ids"]
        names = self._tokenizer.convert_ids_to_tokens(ids)
        rows = zip(ids, names, output["offsets"], output["special"], output["scores"], strict=True)
        for index, (token, name, (start, end), special, scores) in enumerate(rows):
            if special:
                continue
            goes_on = start > 0 and " " not in text[start - 1 : start + 1]
            continues = len(name) != end - start if self._prefix else goes_on  # the prefix makes the difference
            if token == self._tokenizer.unk_token_id:
                name, continues = text[start:end], False
            yield Token(name, scores, start, end, index, continues)


def _read(item: Any, parameters: TokenClassificationParameters) -> tuple[str, Any, list[int] | None]:
    """The text for offsets, what the tokenizer reads, and where each word begins in the text if words are given."""
    if not parameters.is_split_into_words:
        text = read_text(item)
        return text, text, None
    given = item.get("words") if isinstance(item, Mapping) else item
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(word, str) for word in given):
        raise PreprocessorError(f"with is_split_into_words an item is a list of words; found {type(item).__name__}")
    begins, at = [], 0
    for word in given:
        begins.append(at)
        at += len(word) + len(parameters.delimiter)
    return parameters.delimiter.join(given), list(given), begins
