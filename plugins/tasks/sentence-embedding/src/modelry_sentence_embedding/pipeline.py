"""Texts in, one vector for each out.

B texts of a batch   T tokens   D hidden width   N poolings
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.errors import PreprocessorError
from modelry.nn.fuse import fuse_projections
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.texts import read_text, row_features
from modelry_sentence_embedding.checkpoint import SentenceEncoder, read_encoder, write_encoder
from modelry_sentence_embedding.parameters import SentenceEmbeddingParameters
from modelry_sentence_embedding.pooling import pool
from modelry_sentence_embedding.similarity import SIMILARITIES, Vectors


class SentenceEmbeddingPipeline(Pipeline[SentenceEmbeddingParameters]):
    """Turn texts into vectors.

    A text is answered by a float32 tensor (N D,) on the CPU; `encoder` holds what the checkpoint says of it.
    """

    parameters_class: ClassVar[type[TaskParameters]] = SentenceEmbeddingParameters
    default_batch_size = 8
    """What the caches of a CPU hold (MiniLM, 4 to 60 words, one core: 30 texts a second, and 23 in batches of 32)."""
    batch_size_elsewhere = 64
    """The same on an accelerator."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if options.get("batch_size") is None and self.device.type != "cpu":
            self.batch_size = self.batch_size_elsewhere
        self._tokenizer = self.needed_tokenizer()
        self.encoder = SentenceEncoder() if self.source is None else read_encoder(self.source)
        fuse_projections(self.model)

    def preprocess(self, item: Any, parameters: SentenceEmbeddingParameters) -> Mapping[str, Any]:
        prompt = self._prompt(parameters)
        features = self._encoded(prompt + read_text(item), parameters)
        counted = torch.ones(len(features["input_ids"]), dtype=torch.long)  # (T,)
        if prompt and not self.encoder.include_prompt:
            counted[: self._prompt_length(prompt, parameters)] = 0
        return {**features, "counted": counted}

    def forward(self, batch: dict[str, Tensor], parameters: SentenceEmbeddingParameters) -> Mapping[str, Any]:
        inputs: Mapping[str, Any] = {name: one for name, one in batch.items() if name != "counted"}
        hidden = self.model(**inputs, **self.without_cache).last_hidden_state  # (B, T, D)
        names = parameters.pooling or self.encoder.pooling
        vectors = pool(hidden, batch["counted"], (names,) if isinstance(names, str) else tuple(names))  # (B, N D)
        normal = self.encoder.normalize if parameters.normalize is None else parameters.normalize
        return {"vector": F.normalize(vectors, dim=-1) if normal else vectors}

    def postprocess(self, output: dict[str, Any], parameters: SentenceEmbeddingParameters) -> Tensor:
        vector: Tensor = output["vector"]
        return vector.clone() if vector.is_inference() else vector

    def similarity(self, one: Vectors, other: Vectors) -> Tensor:
        """How alike vectors are, by the checkpoint's measure: (N, D) and (M, D), or lists of vectors, to (N, M)."""
        return SIMILARITIES[self.encoder.similarity](one, other)

    def save_pretrained(self, folder: str | Path) -> None:
        super().save_pretrained(folder)
        write_encoder(self.encoder, Path(folder), width=self.model.config.get_text_config().hidden_size)

    def _prompt(self, parameters: SentenceEmbeddingParameters) -> str:
        if parameters.prompt is not None:
            return parameters.prompt
        name = parameters.prompt_name or self.encoder.default_prompt
        if name is None:
            return ""
        if name not in self.encoder.prompts:
            known = ", ".join(map(repr, sorted(self.encoder.prompts))) or "none"
            raise PreprocessorError(f"the checkpoint has no prompt {name!r}; it has {known}")
        return self.encoder.prompts[name]

    def _prompt_length(self, prompt: str, parameters: SentenceEmbeddingParameters) -> int:
        """Tokens of the prompt and of what stands before it; what closes a text is not among them."""
        ids = self._encoded(prompt, parameters)["input_ids"].tolist()
        return len(ids) - (ids[-1] in (self._tokenizer.sep_token_id, self._tokenizer.eos_token_id))

    def _encoded(self, text: str, parameters: SentenceEmbeddingParameters) -> dict[str, Tensor]:
        encoder = self.encoder
        longest = parameters.max_length or encoder.max_length if parameters.truncation else None
        encoding = self._tokenizer(
            text.strip().lower() if encoder.lower_case else text.strip(),
            truncation=parameters.truncation,
            max_length=longest,
        )
        return row_features(encoding, self._tokenizer.model_input_names)
