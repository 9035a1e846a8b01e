"""What a sentence-embedding call may say."""

from typing import Literal

from pydantic import Field

from modelry.pipelines import TaskParameters
from modelry_sentence_embedding.pooling import PoolingName


class SentenceEmbeddingParameters(TaskParameters):
    """Where nothing is said, what the checkpoint says."""

    pooling: PoolingName | list[PoolingName] | None = Field(None, description="how tokens become one vector")
    normalize: bool | None = Field(None, description="to length one")
    prompt: str | None = Field(None, description="put before every text")
    prompt_name: str | None = Field(None, description="a prompt of the checkpoint's own, put before every text")
    truncation: Literal[True, False] = Field(True, description="cut texts that are longer than max_length")
    max_length: int | None = Field(None, gt=0, description="tokens")
