"""Models that listen and then write: what they hear, what they are told, and what comes of it.

B windows   M mel bins   L frames
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # tqdm is not annotated

from modelry.errors import ParameterError
from modelry.generation.strategy import STRATEGIES
from modelry.pipelines.sounds import sound_features
from modelry_automatic_speech_recognition.joining import Token, Window, joined
from modelry_automatic_speech_recognition.parameters import SpeechRecognitionParameters
from modelry_automatic_speech_recognition.sequential import (
    History,
    Listening,
    Samples,
    Segment,
    Written,
    segments_of,
    transcribed,
)
from modelry_automatic_speech_recognition.windows import windows

PATIENCE_SECONDS = 2.0
"""Work that takes no longer shows no bar."""
BEAMS = 5
"""As published pipelines search, where nobody says how: greedy text of small models is a little worse."""
SEARCHES = frozenset({"do_sample", "strategy", "generation_config", "streamer", *(row.field for row in STRATEGIES)})
"""Arguments of generate that say how to search, or that beams cannot serve."""
OF_TEXT = frozenset({"stop_strings", "json_schema", "regex", "grammar", "choices"})
"""Arguments of generate that need the tokenizer."""


class Writer:
    """A model with its feature extractor and tokenizer.

    Args:
        model: generates.
        extractor: says how much the model hears at once.
        tokenizer: writes tokens as text.
    """

    def __init__(self, model: Any, extractor: Any, tokenizer: Any) -> None:
        self._model, self._extractor, self._tokenizer = model, extractor, tokenizer
        self._rate: int = extractor.sampling_rate
        stamps = getattr(model.generation_config, "no_timestamps_token_id", None)
        self._stamps = stamps is not None
        self._first: int = model.config.vocab_size if stamps is None else stamps + 1
        self._keys: dict[int, str] = {}

    def check(self, parameters: SpeechRecognitionParameters) -> None:
        """
        Raises:
            ParameterError: the model cannot do what is asked.
        """
        asked, name = parameters.return_timestamps, type(self._model).__name__
        if asked == "char":
            raise ParameterError(
                f"return_timestamps='char' needs a model that writes frame by frame (CTC); {name} gives words"
            )
        if asked == "word" and not getattr(self._model.generation_config, "alignment_heads", None):
            raise ParameterError(
                f"return_timestamps='word' needs alignment_heads in generation_config.json, or a model that writes "
                f"frame by frame (CTC); {name} here gives segments: return_timestamps=True"
            )
        if parameters.return_language and not hasattr(self._model, "detect_language"):
            raise ParameterError(f"return_language needs a model that knows several languages; {name} knows none")
        if parameters.chunk_length_s > self._extractor.chunk_length:
            raise ParameterError(
                f"chunk_length_s is {parameters.chunk_length_s:g}, and {name} hears {self._extractor.chunk_length} "
                "seconds at once: at most so many"
            )

    # A sound in windows that overlap, several at once

    def windows(self, blocks: Iterable[Samples], parameters: SpeechRecognitionParameters) -> Iterator[dict[str, Any]]:
        """The features of each window, and where it is."""
        size, left, right = (round(one * self._rate) for one in (parameters.chunk_length_s, *parameters.strides))
        at = 0
        with self._bar(parameters) as bar:
            for part in windows(blocks, size=size, left=left, right=right):
                yield {
                    **sound_features(self._extractor, part.samples),
                    "window": (at, len(part.samples), part.left, part.right),
                }
                own = len(part.samples) - part.left - part.right
                bar.update(round(own / self._rate, 2))
                at += size - left - right

    def write(
        self,
        features: Tensor,
        lengths: Sequence[int],
        parameters: SpeechRecognitionParameters,
        *,
        stamped: bool,
        prompt: Sequence[int] = (),
    ) -> list[Written]:
        """What is said in windows.

        Args:
            features: (B, M, L).
            lengths: samples of each that are sound.
            stamped: with time stamps, where the model has them.
            prompt: tokens of the text before.
        """
        options = {**parameters.generate_kwargs}
        if options.get("num_return_sequences") not in (None, 1):
            raise ParameterError(
                f"num_return_sequences={options['num_return_sequences']}: a sound has one transcript here. For "
                "several, call the model's generate"
            )
        if parameters.assistant_model is not None:
            options.setdefault("assistant_model", parameters.assistant_model)
        if parameters.assistant_tokenizer is not None:
            options |= {"tokenizer": self._tokenizer, "assistant_tokenizer": parameters.assistant_tokenizer}
        if SEARCHES.isdisjoint(options) and not isinstance(options.get("temperature"), list | tuple):
            options["num_beams"] = BEAMS
        if not OF_TEXT.isdisjoint(options):
            options.setdefault("tokenizer", self._tokenizer)
        history = options.pop("condition_on_prev_tokens", False)
        if parameters.language is not None:
            options["language"] = parameters.language
        if prompt or history:
            options.pop("prompt_ids", None)
        if prompt:
            before = getattr(self._model.generation_config, "prev_sot_token_id", None)
            options["prompt_ids"] = torch.tensor([*([] if before is None else [before]), *prompt])
        if self._stamps and stamped:
            options["return_timestamps"] = True
        if parameters.return_timestamps == "word":
            frames = [length // self._extractor.hop_length for length in lengths]
            options |= {"return_token_timestamps": True, "num_frames": frames}
        if isinstance(options.get("temperature"), list | tuple):
            options["return_dict_in_generate"] = True
        heard = features.to(self._model.device, self._model.dtype)
        languages: list[str | None] = [None] * len(features)
        if parameters.return_language:
            said = options.get("language") or getattr(self._model.generation_config, "language", None)
            said = said or self._model.detect_language(heard).tolist()
            names = [self._tokenizer.language_name(one) for one in ([said] if isinstance(said, str) else said)]
            languages = [*names] * len(features) if len(names) == 1 else [*names]
        out = self._model.generate(heard, **options)
        ids = out if isinstance(out, Tensor) else out.sequences
        times, temperatures = getattr(out, "token_timestamps", None), getattr(out, "temperatures", None)
        found = []
        for row, tokens in enumerate(ids.tolist()):
            kept = self._to_the_end(tokens)
            found.append(
                Written(
                    kept,
                    None if times is None else times[row, : len(kept)].tolist(),
                    None if temperatures is None else temperatures[row],
                    languages[row],
                )
            )
        return found

    def _to_the_end(self, tokens: list[int]) -> list[int]:
        ends = {*self._model.generation_config.end_tokens, self._model.config.eos_token_id}
        cut = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
        return tokens[:cut]

    def join(self, outputs: Sequence[Mapping[str, Any]], parameters: SpeechRecognitionParameters) -> list[Segment]:
        """The segments of a sound, of what was written in its windows."""
        timed, made, shared = parameters.timed, [], 0
        for number, one in enumerate(outputs):
            at, count, left, right = one["window"]
            written: Written = one["written"]
            tokens = self._timed(written, count, at / self._rate) if timed else self._plain(written)
            after = right + outputs[number + 1]["window"][2] if number + 1 < len(outputs) else 0
            made.append(Window(tokens, shared / count, after / count, (at + left) / self._rate))
            shared = after
        segments = _segments(joined(made, self._key, timed=timed), with_times=parameters.return_timestamps == "word")
        language = outputs[0]["written"].language if outputs else None  # of the whole sound, as published
        return [one._replace(language=language) for one in segments]

    def _timed(self, written: Written, count: int, begin: float) -> list[Token]:
        length = count / self._rate
        heard = segments_of(written, first=self._first, step=self._step, length=length, whole=True)
        found = []
        for segment in heard.segments:
            one = segment.later(begin)
            times = one.times or [(one.begin, one.end)] * len(one.tokens)
            found += [Token(token, *time, (one.begin, one.end)) for token, time in zip(one.tokens, times, strict=True)]
        return found

    def _plain(self, written: Written) -> list[Token]:
        return [Token(token) for token in written.tokens if token < self._first]

    def _key(self, token: int) -> str:
        """How tokens of two windows are compared: a sentence may begin with a capital in one of them only."""
        if token not in self._keys:
            self._keys[token] = self._tokenizer.decode([token]).strip().casefold()
        return self._keys[token]

    @property
    def _step(self) -> float:
        """Seconds from one time stamp to the next."""
        step: float = self._extractor.chunk_length / self._model.config.max_source_positions
        return step

    # A sound from one time stamp to the next

    def transcribe(self, blocks: Iterable[Samples], parameters: SpeechRecognitionParameters) -> list[Segment]:
        """The segments of a sound of any length."""
        sound = Listening(blocks, self._extractor.n_samples)
        if sound.last and not parameters.timed:
            written = self._heard(sound.part, parameters, stamped=False)
            return [Segment(0.0, len(sound.part) / self._rate, written.tokens, language=written.language)]
        told = parameters.generate_kwargs
        history = None
        if told.get("condition_on_prev_tokens"):
            prompt = torch.as_tensor(told.get("prompt_ids", [])).flatten().tolist()
            history = History(prompt[1:], self._model.config.max_target_positions // 2 - 1)
        with self._bar(parameters) as bar:
            return transcribed(
                sound,
                lambda part, before: self._heard(part, parameters, stamped=True, prompt=before),
                rate=self._rate,
                first=self._first,
                step=self._step,
                history=history,
                went_on=lambda seconds: bar.update(round(seconds, 2)),
            )

    def _heard(
        self, part: Samples, parameters: SpeechRecognitionParameters, *, stamped: bool, prompt: Sequence[int] = ()
    ) -> Written:
        features = self._extractor([part], return_tensors="pt")[self._model.main_input_name]
        return self.write(features, [len(part)], parameters, stamped=stamped, prompt=prompt)[0]

    def _bar(self, parameters: SpeechRecognitionParameters) -> Any:
        """Seconds of sound that are heard: in a terminal, where it takes some time."""
        shown = parameters.show_progress
        return tqdm(
            desc="heard",
            unit=" s",
            delay=0.0 if shown else PATIENCE_SECONDS,
            disable=None if shown is None else not shown,
        )

    # Text

    def words(self, segments: Sequence[Segment], language: str | None) -> list[dict[str, Any]]:
        """Every word with its time."""
        found = []
        for segment in segments:
            for word in self._tokenizer.words(segment.tokens, language=language):
                begin, end = segment.times[word.places[0]][0], segment.times[word.places[-1]][1]
                found.append(as_chunk(word.text, begin, max(begin, end), segment.language))
        return found

    def pieces(self, segments: Sequence[Segment]) -> list[dict[str, Any]]:
        """Every segment with its time."""
        return [as_chunk(self.text([one]), one.begin, one.end, one.language) for one in segments]

    def text(self, segments: Sequence[Segment]) -> str:
        """All of it."""
        return "".join(str(self._tokenizer.decode(one.tokens, skip_special_tokens=True)) for one in segments)


def _segments(tokens: Sequence[Token], *, with_times: bool) -> list[Segment]:
    """Neighbours of one segment, together."""
    found: list[Segment] = []
    for token in tokens:
        if not found or (found[-1].begin, found[-1].end) != token.segment:
            found.append(Segment(*token.segment, [], []))
        found[-1].tokens.append(token.number)
        if with_times:
            found[-1].times.append((token.begin, token.end))
    return found


def as_chunk(text: str, begin: float, end: float, language: str | None = None) -> dict[str, Any]:
    """A piece of text as the ecosystem writes it."""
    known = {} if language is None else {"language": language}
    return {**known, "text": text, "timestamp": (round(begin, 2), round(end, 2))}
