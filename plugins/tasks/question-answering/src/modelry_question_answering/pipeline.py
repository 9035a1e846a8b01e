"""Questions and texts in, answers that stand in the texts out.

B windows of a batch   T tokens
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.spans import Span, best_spans, probabilities, ranked
from modelry.pipelines.texts import beginning_of, row_features
from modelry_question_answering.parameters import QuestionAnsweringParameters

WINDOW, SHARED = 384, 128
"""Tokens of a window, and tokens that two share, where nobody says."""
Answer = dict[str, Any]


class QuestionAnsweringPipeline(Pipeline[QuestionAnsweringParameters]):
    """Find answers in texts.

    A row with a `question` and a `context` is answered by `{"score", "start", "end", "answer"}`, whose start and end
    are characters of the context; with `top_k` above 1 by a list of them.
    """

    parameters_class: ClassVar[type[TaskParameters]] = QuestionAnsweringParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()

    def __call__(self, inputs: Any = None, *, question: Any = None, context: Any = None, **options: Any) -> Any:
        """As every pipeline; or with `question` and `context`, texts or lists of equally many.

        Raises:
            PreprocessorError: both ways at once, or lists of unequal length.
        """
        if inputs is None:
            inputs = _paired(question, context)
        elif question is not None or context is not None:
            raise PreprocessorError("give rows with a question and a context, or question= and context=; not both")
        return super().__call__(inputs, **options)

    def items_of(self, words: Iterator[str]) -> Iterator[Any]:
        """A question and the text that it is asked about, and so on in pairs.

        Raises:
            PreprocessorError: a question without a text.
        """
        for question in words:
            context = next(words, None)
            if context is None:
                raise PreprocessorError(
                    f"there is no text behind the question {question!r:.60}: give a question, then the text that it is "
                    "asked about"
                )
            yield {"question": question, "context": context}

    def preprocess(self, item: Any, parameters: QuestionAnsweringParameters) -> Mapping[str, Any]:
        return next(self.pieces(item, parameters))

    def pieces(self, item: Any, parameters: QuestionAnsweringParameters) -> Iterator[Mapping[str, Any]]:
        question, context = _read(item)
        window = parameters.max_seq_len or min(self._tokenizer.model_max_length, WINDOW)
        shared = min(window // 2, SHARED) if parameters.doc_stride is None else parameters.doc_stride
        encoding = self._tokenizer(
            [beginning_of(question, self._tokenizer, tokens=parameters.max_question_len)],
            [context],
            truncation="only_second",
            max_length=window,
            stride=shared,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for row, offsets in enumerate(encoding["offset_mapping"]):
            yield {
                **row_features(encoding, self._tokenizer.model_input_names, row),
                "context": context,
                "ids": encoding["input_ids"][row],
                "of_context": [sequence == 1 for sequence in encoding.sequence_ids(row)],
                "characters": _whole_words(encoding, row) if parameters.align_to_words else offsets,
            }

    def forward(self, batch: dict[str, Tensor], parameters: QuestionAnsweringParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = {**batch, **self.without_cache}
        out = self.model(**arguments)
        logits = torch.stack((out.start_logits, out.end_logits), -1).float()  # (B, T, 2)
        mask = batch.get("attention_mask")
        rows = logits if mask is None else [one[real.bool()] for one, real in zip(logits, mask, strict=True)]
        return {"logits": [one.cpu() for one in rows]}

    def postprocess(self, output: dict[str, Any], parameters: QuestionAnsweringParameters) -> Any:
        return self.merge([output], parameters)

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: QuestionAnsweringParameters) -> Any:
        context = outputs[0]["context"]
        spans: list[Span] = []
        none = 1.0
        for output in outputs:
            found, impossible = self._spans(output, parameters)
            spans += found
            none = min(none, impossible)
        if parameters.handle_impossible_answer:
            spans.append(Span(none, 0, 0))
        answers: list[Answer] = [
            {"score": span.score, "start": span.start, "end": span.end, "answer": context[span.start : span.end]}
            for span in ranked(spans, parameters.top_k)
        ]
        if not answers:
            raise PreprocessorError("the context has no tokens, so there is no answer in it")
        return answers[0] if parameters.top_k == 1 else answers

    def display(self, answer: Any) -> str:
        answers = [answer] if isinstance(answer, Mapping) else answer
        return "\n".join(f"{one['score']:.4f}  {one['answer']}" for one in answers)

    def _spans(self, output: dict[str, Any], parameters: QuestionAnsweringParameters) -> tuple[list[Span], float]:
        """The best answers of one window, and how likely none is: that the first token is both ends."""
        inside = torch.tensor(output["of_context"])  # (T,)
        ids = output["ids"]
        nothing = ids.index(self._tokenizer.cls_token_id) if self._tokenizer.cls_token_id in ids else None
        allowed = inside.clone()
        if nothing is not None:
            allowed[nothing] = True
        starts, ends = (probabilities(output["logits"][:, n], allowed) for n in (0, 1))
        impossible = 0.0 if nothing is None else float(starts[nothing] * ends[nothing])
        characters = output["characters"]
        found: dict[tuple[int, int], Span] = {}
        for score, first, last in best_spans(starts * inside, ends * inside, longest=parameters.max_answer_len):
            start, end = characters[first][0], characters[last][1]
            found.setdefault((start, end), Span(score, start, end))  # tokens of one word are one end
            if len(found) == parameters.top_k:
                break
        return list(found.values()), impossible


def _whole_words(encoding: Any, row: int) -> list[tuple[int, int]]:
    """For each token the characters of its word."""
    spans = []
    for word, sequence in zip(encoding.word_ids(row), encoding.sequence_ids(row), strict=True):
        found = None if word is None else encoding.word_to_chars(row, word, sequence)
        spans.append((0, 0) if found is None else (found.start, found.end))
    return spans


def _read(item: Any) -> tuple[str, str]:
    """Question and context of a row.

    Raises:
        PreprocessorError: one is missing, empty or no text.
    """
    if not isinstance(item, Mapping):
        raise PreprocessorError(f"a row with a question and a context is needed; found {type(item).__name__}")
    for key in ("question", "context"):
        if not isinstance(item.get(key), str) or not item[key].strip():
            raise PreprocessorError(f"the {key} is {item.get(key)!r}: a text with something in it is needed")
    return item["question"], item["context"]


def _paired(question: Any, context: Any) -> Any:
    """One row, or one for each question."""
    if isinstance(question, (list, tuple)):
        contexts = [context] * len(question) if isinstance(context, str) else list(context or ())
        if len(contexts) != len(question):
            raise PreprocessorError(f"{len(question)} questions and {len(contexts)} contexts: give equally many")
        return [{"question": one, "context": other} for one, other in zip(question, contexts, strict=True)]
    return {"question": question, "context": context}
