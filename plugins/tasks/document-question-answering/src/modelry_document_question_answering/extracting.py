"""Answers among the words of a page, by a model that reads words, their places and the page's picture.

B windows of a batch   T tokens of a window   S positions, those of the page's picture behind the tokens
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines import Pipeline
from modelry.pipelines.images import needed_image_processor
from modelry.pipelines.spans import Span, best_spans, probabilities, ranked
from modelry.pipelines.texts import beginning_of, row_features
from modelry.preprocessing.images.words import in_pixels, read_words
from modelry_document_question_answering.asking import Asked
from modelry_document_question_answering.pages import Page, pages_of
from modelry_document_question_answering.parameters import DocumentQuestionAnsweringParameters

WINDOW, SHARED = 384, 256
"""Tokens of a window where the tokenizer knows no limit, and the most that two share where nobody says."""
NO_LIMIT = 100_000
"""A tokenizer that says more knows no limit."""
Features = Mapping[str, Any]


class Extracting:
    """What the pipeline does with a model that finds answers.

    Args:
        pipe: the pipeline, with a tokenizer that takes words and boxes.
    """

    def __init__(self, pipe: Pipeline[Any]) -> None:
        self.model, self.tokenizer = pipe.model, pipe.needed_tokenizer()
        self.images = needed_image_processor(pipe)
        self.without_cache = pipe.without_cache
        said = self.images.to_dict()
        self.language, self.settings = said.get("ocr_lang"), said.get("tesseract_config") or ""
        self.options = {"apply_ocr": False} if "apply_ocr" in said else {}
        self.looks = self.model.config.to_dict().get("visual_embed", True)  # only some families can do without

    def pieces(self, asked: Asked, parameters: DocumentQuestionAnsweringParameters) -> Iterator[Features]:
        """Windows of all pages that have words.

        Raises:
            PreprocessorError: no page has any, or words are given for several pages.
        """
        pages = [None] if asked.image is None else pages_of(asked.image, parameters)
        found = 0
        for number, page in enumerate(pages):
            if number and asked.word_boxes is not None:
                raise PreprocessorError(
                    "word_boxes are of one page, and the document has several: say which with page="
                )
            for piece in self._windows(asked, page, parameters):
                found += 1
                yield piece
        if not found:
            where = (
                "among word_boxes"
                if asked.word_boxes is not None
                else "on the document: it may be empty or upside down"
            )
            raise PreprocessorError(f"there are no words {where}, so there is no answer in it")

    def _windows(
        self, asked: Asked, page: Page | None, parameters: DocumentQuestionAnsweringParameters
    ) -> Iterator[Features]:
        words, boxes = self._words(asked, page, parameters)
        if not words:
            return
        limit = self.tokenizer.model_max_length
        window = parameters.max_seq_len or (WINDOW if limit > NO_LIMIT else limit)
        shared = min(window // 2, SHARED) if parameters.doc_stride is None else parameters.doc_stride
        boxed: Any = self.tokenizer  # of a family whose tokens have boxes
        encoding = boxed(
            [beginning_of(asked.question, self.tokenizer, tokens=parameters.max_question_len)],
            [words],
            boxes=[boxes],
            truncation="only_second",
            max_length=window,
            stride=shared,
            return_overflowing_tokens=True,
        )
        seen = {} if page is None or not self.looks else self._seen(page)
        names = dict.fromkeys((*self.tokenizer.model_input_names, "bbox"))
        for row in range(len(encoding["input_ids"])):
            places = zip(encoding.word_ids(row), encoding.sequence_ids(row), strict=True)
            yield {
                **row_features(encoding, list(names), row),
                **seen,
                "ids": encoding["input_ids"][row],
                "places": [word if sequence == 1 else None for word, sequence in places],
                "words": words,
                "boxes": boxes,
                "page": 1 if page is None else page.number,
                "size": None if page is None else (page.picture.height, page.picture.width),
            }

    def _words(
        self, asked: Asked, page: Page | None, parameters: DocumentQuestionAnsweringParameters
    ) -> tuple[list[str], list[list[int]]]:
        """The words of a page, and their boxes from 0 to 1000."""
        if asked.word_boxes is not None:
            return [word for word, _ in asked.word_boxes], [list(box) for _, box in asked.word_boxes]
        assert page is not None
        settings = self.settings if parameters.tesseract_config is None else parameters.tesseract_config
        read = read_words(page.picture, language=parameters.lang or self.language, settings=settings)
        return read.words, read.normalised()

    def _seen(self, page: Page) -> dict[str, Tensor]:
        made = self.images([page.picture], return_tensors="pt", **self.options)
        return {name: value[0] for name, value in made.items() if isinstance(value, Tensor)}

    def forward(self, batch: dict[str, Tensor], parameters: DocumentQuestionAnsweringParameters) -> Features:
        """Logits of first and last tokens, for each window (T, 2) without padding."""
        arguments: Features = {**batch, **self.without_cache}
        out = self.model(**arguments)
        tokens = batch["input_ids"].shape[1]
        logits = torch.stack((out.start_logits, out.end_logits), -1)[:, :tokens].float()  # (B, T, 2)
        mask = batch.get("attention_mask")
        rows = logits if mask is None else [one[real.bool()] for one, real in zip(logits, mask, strict=True)]
        return {"logits": [one.cpu() for one in rows]}

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: DocumentQuestionAnsweringParameters) -> Any:
        """The best answers of all windows of all pages."""
        spans: dict[int, list[Span]] = {}
        none = 1.0
        for output in outputs:
            found, impossible = self._spans(output, parameters)
            spans.setdefault(output["page"], []).extend(found)
            none = min(none, impossible)
        told = {output["page"]: output for output in outputs}
        answers = [_answer(span, told[page]) for page, some in spans.items() for span in ranked(some, parameters.top_k)]
        if parameters.handle_impossible_answer:
            answers.append({"score": none, "answer": "", "start": 0, "end": 0, "page": None})
        return sorted(answers, key=lambda answer: -answer["score"])[: parameters.top_k]

    def _spans(
        self, output: dict[str, Any], parameters: DocumentQuestionAnsweringParameters
    ) -> tuple[list[Span], float]:
        """The best answers of one window in words, and how likely none is: that the first token is both ends."""
        ids, places = output["ids"], output["places"]
        inside = torch.tensor([place is not None for place in places])  # (T,)
        first_id = self.tokenizer.cls_token_id
        allowed = inside.clone()
        if first_id in ids:
            allowed[ids.index(first_id)] = True
        starts, ends = (probabilities(output["logits"][:, n], allowed) for n in (0, 1))
        impossible = float(starts[ids.index(first_id)] * ends[ids.index(first_id)]) if first_id in ids else 0.0
        found: dict[tuple[int, int], Span] = {}
        for score, first, last in best_spans(starts * inside, ends * inside, longest=parameters.max_answer_len):
            found.setdefault((places[first], places[last]), Span(score, places[first], places[last]))
            if len(found) == parameters.top_k:
                break
        return list(found.values()), impossible


def _answer(span: Span, told: Features) -> dict[str, Any]:
    """An answer as it is returned: `start` and `end` are numbers of its first and last word, `box` is in pixels."""
    words = told["words"][span.start : span.end + 1]
    answer = {
        "score": span.score,
        "answer": " ".join(words),
        "start": span.start,
        "end": span.end,
        "page": told["page"],
    }
    if told["size"] is not None:
        boxes = told["boxes"][span.start : span.end + 1]
        whole = [min(box[0] for box in boxes), min(box[1] for box in boxes)]
        whole += [max(box[2] for box in boxes), max(box[3] for box in boxes)]
        answer["box"] = dict(zip(("xmin", "ymin", "xmax", "ymax"), in_pixels(whole, told["size"]), strict=True))
    return answer
