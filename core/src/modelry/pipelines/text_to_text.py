"""What tasks share in which an encoder-decoder answers a text by a text: summaries, translations, anything else.

B texts of a batch   N answers to each   T tokens of a text   L tokens of an answer, its start included
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from modelry.errors import PreprocessorError
from modelry.generation.idle import OF_BEAMS
from modelry.generation.prompt import context_length
from modelry.pipelines.generation_parameters import GenerationParameters
from modelry.pipelines.parameters import TaskParameters
from modelry.pipelines.stages import Pipeline
from modelry.pipelines.streaming import stream_text
from modelry.pipelines.texts import read_text

DEFAULT_NEW_TOKENS = 256
"""Of an answer, where neither the call nor the checkpoint says."""
_LENGTHS = frozenset({"max_length", "max_new_tokens"})


class TextToTextParameters(GenerationParameters):
    """Keywords of a task that answers a text by a text."""

    prefix: str | None = Field(None, description="put before every text; unset: what the checkpoint says of the task")
    truncation: bool = Field(False, description="cut a text that is longer than the model reads")
    return_text: bool | None = None
    return_tensors: bool = Field(False, description="token ids instead of text")
    skip_special_tokens: bool = True
    clean_up_tokenization_spaces: bool | None = None

    @model_validator(mode="after")
    def _text_or_ids(self) -> Self:
        if self.return_tensors and self.return_text:
            raise ValueError("return_tensors and return_text exclude each other")
        return self


P = TypeVar("P", bound=TextToTextParameters)


class TextToTextPipeline(Pipeline[P]):
    """Texts in, texts out.

    A text, or a row with a `text`, is answered by `{"…_text": …}`, alone in a list where one text was asked about, and
    by a list of these where several sequences are asked for. A task names the keys in `answer_name`.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TextToTextParameters
    answer_name: ClassVar[str] = "generated"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()

    # What a task may say

    def purpose(self, parameters: P) -> str:
        """Under which name the checkpoint's `task_specific_params` may have values for this call."""
        return self.task

    def encoded(self, text: str, parameters: P, **options: Any) -> list[int]:
        """The ids of a text, prefix included."""
        return list(self._tokenizer(text, **options)["input_ids"])

    def generation(self, parameters: P) -> dict[str, Any]:
        """What `generate` is told: the checkpoint's values for the purpose, and over them the call's."""
        said = parameters.generation
        if said.get("generation_config") is not None:
            return said
        fitting = {name: value for name, value in self._specific(parameters).items() if name != "prefix"}
        if _LENGTHS & said.keys():
            fitting = {name: value for name, value in fitting.items() if name not in _LENGTHS}
        if said.get("num_beams") == 1:  # the checkpoint's are for the beams that it would have
            fitting = {name: value for name, value in fitting.items() if name not in OF_BEAMS}
        return {**fitting, **said}

    # The stages

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As every pipeline; the one answer to one text is a list all the same, as published."""
        answer = super().__call__(inputs, **options)
        return [answer] if isinstance(inputs, str) and isinstance(answer, dict) else answer

    def preprocess(self, item: Any, parameters: P) -> dict[str, Any]:
        prefix = parameters.prefix
        if prefix is None:
            prefix = self._specific(parameters).get("prefix", getattr(self.model.config, "prefix", None))
        limit = context_length(self.model.config)
        options: dict[str, Any] = {}
        if parameters.truncation:
            known = (limit, self._tokenizer.model_max_length)
            options = {"truncation": True, "max_length": min(one for one in known if one is not None)}
        ids = self.encoded((prefix or "") + read_text(item), parameters, **options)
        if not ids:
            raise PreprocessorError("the text has no tokens: there is nothing to answer")
        if limit is not None and len(ids) > limit:
            raise PreprocessorError(
                f"the text has {len(ids)} tokens, and the model was made for {limit}: "
                "pass truncation=True to drop the end, or cut it into several texts"
            )
        return {"input_ids": torch.tensor(ids)}

    def forward(self, batch: dict[str, Tensor], parameters: P) -> dict[str, Any]:
        ids = batch["input_ids"]  # (B, T)
        options = {**self.generation(parameters), "return_dict_in_generate": False}
        configured = self.model.generation_config.set_fields()
        if not (_LENGTHS & {*options, *configured} or options.get("generation_config")):
            room = context_length(self.model.config, answer=True)
            options["max_new_tokens"] = DEFAULT_NEW_TOKENS if room is None else min(DEFAULT_NEW_TOKENS, room - 1)
        mask = batch.get("attention_mask")
        sequences = self.model.generate(ids, attention_mask=mask, tokenizer=self._tokenizer, **options)  # (B * N, L)
        return {"sequences": sequences.view(ids.shape[0], -1, sequences.shape[1])}

    def postprocess(self, output: dict[str, Any], parameters: P) -> Any:
        answers = [self._answer(row.tolist(), parameters) for row in output["sequences"]]  # N of (L,)
        return answers[0] if len(answers) == 1 else answers

    def display(self, answer: Any) -> str:
        answers = answer if isinstance(answer, list) else [answer]
        return "\n\n".join(str(next(iter(one.values()))) for one in answers)

    def stream(self, item: Any, **parameters: Any) -> Iterator[str]:
        """The answer in parts as they come. Closing the iterator stops the model at its next token.

        Several sequences, and strategies that know their text only at the end, come in one part.

        Raises:
            PipelineError: the item failed; the parts before it have been given.
            ParameterError: a keyword is not the task's.
        """
        checked = self.parameters(**parameters)
        said = {**self.generation(checked), **self.defaults, **parameters}
        return stream_text(self, item, said, skip_special_tokens=checked.skip_special_tokens, new={})

    def _answer(self, ids: list[int], parameters: P) -> dict[str, Any]:
        if parameters.return_tensors:
            padding = self.model.generation_config.pad_token_id
            while len(ids) > 1 and ids[-1] == padding:
                ids.pop()
            return {f"{self.answer_name}_token_ids": ids}
        text = self._tokenizer.decode(
            ids,
            skip_special_tokens=parameters.skip_special_tokens,
            clean_up_tokenization_spaces=parameters.clean_up_tokenization_spaces,
        )
        return {f"{self.answer_name}_text": text}

    def _specific(self, parameters: P) -> Mapping[str, Any]:
        """What the checkpoint says of the purpose of a call: a prefix, beams, lengths."""
        found = (getattr(self.model.config, "task_specific_params", None) or {}).get(self.purpose(parameters))
        return found if isinstance(found, Mapping) else {}
