"""What a Whisper is told before it writes: language, task, time stamps or none, a text that goes before.

B rows   M mel bins   L frames   P tokens of the start   V vocabulary
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation import GenerationConfig
from modelry.generation.processors import LogitsProcessor
from modelry_whisper.languages import CODES
from modelry_whisper.timestamps import TimestampRules

TASKS = ("transcribe", "translate")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_SAID_IN_CALLS = ("decoder_start_token_id", "eos_token_id")


@dataclass(frozen=True)
class Instructions:
    """The tokens for it, from generation_config.json. Old files have the start as a whole, in forced_decoder_ids."""

    begin: int
    """<|startoftranscript|>."""
    end: int
    """<|endoftext|>."""
    languages: Mapping[str, int]
    """ "<|de|>" to its token; empty where the model has one language only."""
    tasks: Mapping[str, int]
    no_timestamps: int | None
    latest_beginning: int | None
    """The first time stamp is at most so many steps from the beginning."""
    forced: tuple[int | None, ...]
    """Published tokens behind the first; None is a language to be heard."""
    language: Any = None
    task: str | None = None
    timestamps: bool = False

    @classmethod
    def of(cls, model: Any, config: GenerationConfig | None, call: Mapping[str, Any] = _NOTHING) -> Self:
        """The instructions of a model, by the configuration of the call or its own.

        Args:
            call: its other arguments, which count before the configurations.

        Raises:
            GenerationError: texts are to begin with several tokens, or a value is impossible.
        """
        used = config or model.generation_config
        used = used.updated(**{name: call[name] for name in _SAID_IN_CALLS if call.get(name) is not None})
        own = model.generation_config
        values = {**(own.model_extra or {}), **(used.model_extra or {})}
        start = next(
            (one for one in (used.decoder_start_token_id, own.decoder_start_token_id) if one is not None),
            model.config.decoder_start_token_id,
        )
        if isinstance(start, list):
            if len(set(start)) != 1:
                raise GenerationError(f"decoder_start_token_id is {start}: all texts begin with one token here")
            start = start[0]
        ends = used.end_tokens or own.end_tokens or (model.config.eos_token_id,)
        forced = values.get("forced_decoder_ids") or getattr(model.config, "forced_decoder_ids", None) or ()
        return cls(
            begin=int(start),
            end=int(ends[0]),
            languages=values.get("lang_to_id") or {},
            tasks=values.get("task_to_id") or {},
            no_timestamps=values.get("no_timestamps_token_id"),
            latest_beginning=values.get("max_initial_timestamp_index"),
            forced=tuple(token for place, (at, token) in enumerate(forced, start=1) if place == at),
            language=values.get("language"),
            task=values.get("task"),
            timestamps=bool(values.get("return_timestamps")),
        )

    @property
    def listens(self) -> bool:
        """Whether the model finds the language out itself, where nobody names one."""
        return bool(self.languages) and self.language is None and (not self.forced or self.forced[0] is None)

    def start(
        self,
        rows: int,
        language: str | Sequence[str] | None,
        task: str | None,
        *,
        timestamps: bool | None,
        prompt: Any = None,
        heard: Sequence[int] | None = None,
    ) -> Tensor:
        """(B, P) what the decoder begins with.

        Args:
            prompt: tokens that go before all.
            heard: the token of each row's language, where nobody names one.

        Raises:
            GenerationError: the model does not know the language, or has no tasks.
        """
        language, task = language or self.language, task or self.task
        names = [language] * rows if language is None or isinstance(language, str) else list(language)
        if len(names) != rows:
            raise GenerationError(f"language= names {len(names)} languages for {rows} rows: give one, or one for each")
        begun = [] if prompt is None else torch.as_tensor(prompt).flatten().tolist()
        stamped = self.timestamps if timestamps is None else timestamps
        found = []
        for row, name in enumerate(names):
            token = self._language(name) if name is not None else None if heard is None else heard[row]
            found.append([*begun, *self._row(token, task, named=name is not None, stamped=stamped)])
        return torch.tensor(found)

    def _row(self, language: int | None, task: str | None, *, named: bool, stamped: bool) -> list[int]:
        row: list[int | None] = [self.begin]
        if not named and task is None:
            row += self.forced
        if language is not None:
            row[1:2] = [language]
        if task is not None or (named and self.tasks):
            row.append(self._task(task or TASKS[0]))
        if self.no_timestamps is not None:
            row = [token for token in row if token != self.no_timestamps] + ([] if stamped else [self.no_timestamps])
        return [token for token in row if token is not None]

    def _language(self, language: str) -> int:
        name = language.lower()
        token = name if name in self.languages else f"<|{CODES.get(name, name)}|>"
        if token not in self.languages:
            known = ", ".join(sorted(one.strip("<|>") for one in self.languages)[:12]) or "none: it has one language"
            raise GenerationError(f"the model does not know the language {language!r}; it knows {known} …")
        return self.languages[token]

    def _task(self, task: str) -> int:
        if task not in self.tasks:
            known = ", ".join(self.tasks) or "none: it only transcribes. Leave task= and language= out"
            raise GenerationError(f"the model has no task {task!r}; it has {known}")
        return self.tasks[task]

    def rules(self, length: int, *, timestamps: bool | None) -> list[LogitsProcessor]:
        """What keeps time stamps in order, where they are written behind `length` tokens.

        Raises:
            GenerationError: time stamps are wanted, and the model has none.
        """
        if not (self.timestamps if timestamps is None else timestamps):
            return []
        if self.no_timestamps is None:
            raise GenerationError("generation_config has no no_timestamps_token_id: this model has no time stamps")
        return [TimestampRules(self.no_timestamps, self.end, begin=length, latest_beginning=self.latest_beginning)]


@torch.no_grad()
def detect_languages(model: Any, features: Tensor, told: Instructions) -> list[int]:
    """The token of the language that each row, (B, M, L), is in: the likeliest behind the first token."""
    begin = torch.full((features.shape[0], 1), told.begin, device=model.device)
    logits = model(input_features=features.to(model.device), decoder_input_ids=begin, use_cache=False).logits[:, -1]
    tokens = torch.tensor(sorted(told.languages.values()), device=logits.device)
    return list(map(int, tokens[logits[:, tokens].argmax(-1)]))
