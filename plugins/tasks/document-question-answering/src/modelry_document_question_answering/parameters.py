"""What a document-question-answering call may say."""

from typing import Any

from pydantic import Field

from modelry.pipelines.generation_parameters import GenerationParameters

DONUT = "<s_docvqa><s_question>{question}</s_question><s_answer>"
"""What Donut's answers begin with. Kim et al. 2021, https://arxiv.org/abs/2111.15664."""


class DocumentQuestionAnsweringParameters(GenerationParameters):
    """How a document is read, and which answers come back; of a model that writes, every keyword of `generate` too."""

    top_k: int = Field(1, gt=0, description="so many answers at most, the best first; of a model that writes, beams")

    # Documents
    page: int | None = Field(None, gt=0, description="of a PDF, from 1 on; unset: all pages")
    password: str | None = Field(None, description="of a PDF")
    allow_private: bool | None = Field(
        None, description="URLs may lead into our own network; unset: as a variable says"
    )
    timeout: float | None = Field(None, gt=0, description="seconds for what a URL leads to; unset: 30")

    # Models that find answers among the words of a page
    lang: str | None = Field(None, description="Tesseract's code of the language; unset: what the checkpoint says")
    tesseract_config: str | None = Field(None, description="further flags of Tesseract")
    doc_stride: int | None = Field(None, ge=0, description="tokens that windows share; unset: 256, or half a window")
    max_seq_len: int | None = Field(None, gt=0, description="tokens of a window; unset: what the tokenizer says")
    max_question_len: int = Field(64, gt=0, description="tokens; a longer question is cut")
    max_answer_len: int = Field(15, gt=0, description="tokens")
    handle_impossible_answer: bool = Field(False, description="the empty answer is one too")

    # Models that write them
    task_prompt: str = Field(DONUT, description="what an answer begins with; {question} stands for the question")

    @property
    def generation(self) -> dict[str, Any]:
        beams = {"num_beams": self.top_k, "num_return_sequences": self.top_k} if self.top_k > 1 else {}
        return {**beams, **super().generation}
