"""What a question-answering call may say."""

from pydantic import Field

from modelry.pipelines import TaskParameters


class QuestionAnsweringParameters(TaskParameters):
    """How a long text is read, and which answers come back."""

    top_k: int = Field(1, gt=0, description="so many of the best answers, as a list where more than one is asked for")
    doc_stride: int | None = Field(None, ge=0, description="tokens that windows share; unset: 128, or half a window")
    max_seq_len: int | None = Field(None, gt=0, description="tokens of a window; unset: 384, or what the model takes")
    max_question_len: int = Field(64, gt=0, description="tokens; a longer question is cut")
    max_answer_len: int = Field(15, gt=0, description="tokens")
    handle_impossible_answer: bool = Field(False, description="the empty answer is one too")
    align_to_words: bool = Field(True, description="answers begin and end where words do")
