"""Questions about documents in, answers out: found among the words of a page, or written by a model that sees it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.drawing import Mark, draw_marks
from modelry.pipelines.images import compute_by_size
from modelry_document_question_answering.asking import paired, read_asked, rows_of
from modelry_document_question_answering.extracting import Extracting
from modelry_document_question_answering.pages import pages_of
from modelry_document_question_answering.parameters import DocumentQuestionAnsweringParameters
from modelry_document_question_answering.writing import Writing, alike

if TYPE_CHECKING:
    from PIL.Image import Image

NOTHING = "(no answer)"


class DocumentQuestionAnsweringPipeline(Pipeline[DocumentQuestionAnsweringParameters]):
    """Answer questions about documents.

    `{"image": …, "question": …}`, perhaps with `word_boxes`, is answered by a list of
    `{"score", "answer", "start", "end", "page", "box"}`, the best first: numbers of words, of the page, and pixels of
    its picture. A model that writes gives `{"answer", "page"}` for every page.
    """

    parameters_class: ClassVar[type[TaskParameters]] = DocumentQuestionAnsweringParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._way = Writing(self) if self.model.config.is_encoder_decoder else Extracting(self)

    def __call__(  # type: ignore[override]  # the ecosystem calls the first argument image
        self, image: Any = None, question: Any = None, word_boxes: Any = None, **options: Any
    ) -> Any:
        """As every pipeline.

        Args:
            image: an image, or anything that may be one; a PDF file. Or, without `question`, rows of these things.
            question: one, or several about one document or equally many.
            word_boxes: the words of the page with their boxes, 0 to 1000, which then are not read.
            options: batch_size, on_error, progress, and the task's parameters.

        Raises:
            PipelineError: names the item that failed; its cause says why.
            PreprocessorError: questions and images of different numbers, or words without a question.
        """
        if question is None and word_boxes is not None:
            raise PreprocessorError("word_boxes are given and no question: pass question=")
        inputs = image if question is None else paired(image, question, word_boxes)
        return super().__call__(inputs, **options)

    def items_of(self, words: Iterator[str]) -> Iterator[Any]:
        """Each text is a question about the file before it."""
        return rows_of(words)

    def preprocess(self, item: Any, parameters: DocumentQuestionAnsweringParameters) -> Mapping[str, Any]:
        return next(self.pieces(item, parameters))

    def pieces(self, item: Any, parameters: DocumentQuestionAnsweringParameters) -> Iterator[Mapping[str, Any]]:
        return self._way.pieces(read_asked(item), parameters)

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: DocumentQuestionAnsweringParameters
    ) -> Mapping[str, Any]:
        together = super().compute
        return compute_by_size(features, lambda some: together(some, parameters), by=alike)

    def forward(self, batch: dict[str, Tensor], parameters: DocumentQuestionAnsweringParameters) -> Mapping[str, Any]:
        return self._way.forward(batch, parameters)

    def postprocess(self, output: dict[str, Any], parameters: DocumentQuestionAnsweringParameters) -> Any:
        return self.merge([output], parameters)

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: DocumentQuestionAnsweringParameters) -> Any:
        return self._way.merge(outputs, parameters)

    def display(self, answer: Any) -> str:
        several = len({one["page"] for one in answer}) > 1
        lines = []
        for one in answer:
            score = f"{one['score']:.4f}  " if "score" in one else ""
            where = f"  (page {one['page']})" if several and one["page"] else ""
            lines.append(f"{score}{one['answer'] or NOTHING}{where}")
        return "\n".join(lines)

    def answer_with_picture(self, item: Any, **parameters: Any) -> tuple[Any, Any]:
        """With the page that the best answer is on."""
        answer = self(item, **parameters)
        found = next((one["page"] for one in answer if one["page"] is not None), 1)
        wanted = self.parameters(**{**parameters, "page": found})
        return answer, next(pages_of(read_asked(item).image, wanted)).picture

    def draw(self, picture: "Image", answer: Any) -> "Image":
        """The page of the best answer, with a box around each answer on it."""
        page = next((one["page"] for one in answer if one["page"] is not None), 1)
        marks = [
            Mark(one["answer"], one["score"], [one["box"][side] for side in ("xmin", "ymin", "xmax", "ymax")])
            for one in answer
            if "box" in one and one["page"] == page
        ]
        return draw_marks(picture, marks or [Mark(one["answer"] or NOTHING) for one in answer])
