"""What is written of sounds that are encoded once: tried again where it is doubtful, with the time of each token.

B rows   M mel bins   L frames   S positions of the encoder   D d_model   P tokens of the start   T written tokens
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.generated_output import GenerateOutput
from modelry.outputs import BaseModelOutput
from modelry_whisper.alignment import frames_of_tokens
from modelry_whisper.instructions import Instructions
from modelry_whisper.record import WhisperOutput
from modelry_whisper.trying import (
    Attempt,
    Thresholds,
    compression_ratio,
    mean_logprob,
    sampling,
    written_until_believed,
)

STEP = 0.02
"""Seconds of a position of the encoder, in every published Whisper."""
SINGLE = ("num_return_sequences", "streamer")
"""Options of generate that do not go with answers that are looked at before they are given."""


@final
class Writing:
    """One call of generate.

    Args:
        model: the whole.
        features: (B, M, L).
        start: (B, P) what each row begins with.
        told: the instructions of the call.
        generate: the kernel's, bound to the model.
        options: of it.

    Raises:
        GenerationError: an option that does not go with this.
    """

    def __init__(
        self,
        model: Any,
        features: Tensor,
        start: Tensor,
        told: Instructions,
        generate: Callable[..., Any],
        options: Mapping[str, Any],
    ) -> None:
        for name in SINGLE:
            if options.get(name) not in (None, 1):
                raise GenerationError(
                    f"{name} does not go with thresholds, several temperatures or return_token_timestamps: an answer "
                    "is looked at, and perhaps written again, before it is given. Leave one of them out"
                )
        self._model, self._start, self._told, self._generate = model, start, told, generate
        self._options = {**options, "return_dict_in_generate": True}
        self._as_record = bool(options.get("return_dict_in_generate"))
        self._heard_again = None if options.get("assistant_model") is None else features
        """For the encoder of a model that drafts."""
        with torch.no_grad():
            encoder = model.get_encoder()
            self._encoded: Tensor = encoder(features.to(model.device)).last_hidden_state  # (B, S, D)

    def answer(self, thresholds: Thresholds, *, timed: bool, frames: Any) -> Any:
        """What generate returns.

        Args:
            timed: with the time of each token.
            frames: of the spectrogram that are sound: a number, or one for each row; None: all.
        """
        silences = [0.0] * self._start.shape[0] if thresholds.no_speech is None else self._silences()
        attempts = written_until_believed(
            lambda rows, temperature: self._attempted(rows, temperature, judge=thresholds.judge), thresholds, silences
        )
        rows = [one.tokens for one in attempts]
        width = max(map(len, rows))
        padded = [[*row, *[self._told.end] * (width - len(row))] for row in rows]
        sequences = torch.tensor(padded, dtype=torch.long, device=self._start.device)
        if not timed and not self._as_record:
            return sequences
        times = self._times(rows, _numbers(frames, len(rows))) if timed else None
        return WhisperOutput(sequences, token_timestamps=times, temperatures=tuple(one.temperature for one in attempts))

    def _attempted(self, rows: list[int], temperature: float | None, *, judge: bool) -> list[Attempt]:
        options = {**self._options, **sampling(temperature)}
        beams = (options.get("num_beams") or self._model.generation_config.num_beams or 1) > 1
        options["output_scores"] = judge and not beams
        options["encoder_outputs"] = (self._encoded[rows],)
        if self._heard_again is not None:
            options["input_features"] = self._heard_again[rows]
        out: GenerateOutput = self._generate(decoder_input_ids=self._start[rows], **options)
        assert out.sequences is not None
        found = []
        for row, written in enumerate(out.sequences[:, self._start.shape[1] :].tolist()):
            tokens = written[: written.index(self._told.end) + 1] if self._told.end in written else written
            ratio, logprob = 0.0, 0.0
            if judge and tokens:
                ratio = compression_ratio(tokens, self._model.config.vocab_size)
            if judge and out.sequences_scores is not None:
                logprob = float(out.sequences_scores[row])
            elif judge and out.scores is not None:
                logprob = mean_logprob(tokens, [one[row] for one in out.scores], temperature)
            found.append(Attempt(tokens, temperature, ratio, logprob))
        return found

    @torch.no_grad()
    def _silences(self) -> list[float]:
        """Each row's probability that nothing is said, which the model gives behind its first instruction."""
        if self._told.no_timestamps is None:
            raise GenerationError(
                "no_speech_threshold: generation_config has no no_timestamps_token_id, and the token of silence is the "
                "one before it"
            )
        place = self._start[0].tolist().index(self._told.begin)
        out = self._model(
            encoder_outputs=BaseModelOutput(self._encoded),
            decoder_input_ids=self._start[:, : place + 1],
            use_cache=False,
        )
        odds = out.logits[:, -1].float().softmax(-1)[:, self._told.no_timestamps - 1]
        return [float(one) for one in odds]

    @torch.no_grad()
    def _times(self, rows: Sequence[Sequence[int]], frames: Sequence[int | None]) -> Tensor:
        """(B, T) the second at which each token ends, where the next begins. Each row is aligned up to its own end."""
        heads = getattr(self._model.generation_config, "alignment_heads", None)
        if not heads:
            raise GenerationError(
                "return_token_timestamps needs alignment_heads in generation_config.json: the heads that follow the "
                "sound, as [layer, head]. Without them only segments have times: return_timestamps=True"
            )
        found = torch.zeros(len(rows), max(map(len, rows)))
        for row, (tokens, length) in enumerate(zip(rows, frames, strict=True)):
            if len(tokens) < 2:
                continue  # the last token has no time of its own, but that of the one before
            begun = self._start.shape[1]
            ids = torch.tensor([[*self._start[row].tolist(), *tokens[:-1]]], device=self._start.device)
            with eager(self._model.get_decoder()):
                out = self._model(
                    encoder_outputs=BaseModelOutput(self._encoded[row : row + 1]),
                    decoder_input_ids=ids,
                    use_cache=False,
                    output_attentions=True,
                )
            looks = torch.stack([out.cross_attentions[layer][0, head] for layer, head in heads]).float()
            looks = looks[:, begun:, : None if length is None else max(length // 2, 1)]  # (H, T - 1, F)
            begins = frames_of_tokens(looks, filter_width=self._model.config.median_filter_width) * STEP
            found[row, : len(tokens) - 1] = torch.from_numpy(begins)
            found[row, len(tokens) - 1 :] = float(begins[-1])
        return found


@contextmanager
def eager(decoder: Any) -> Iterator[None]:
    """The attention that has weights to give, for a while."""
    before = decoder.attn_implementation
    decoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        decoder.set_attn_implementation(before)


def _numbers(frames: Any, rows: int) -> list[int | None]:
    """One for each row."""
    if frames is None or isinstance(frames, int):
        return [frames] * rows
    given: list[int | None] = [int(one) for one in frames]
    if len(given) != rows:
        raise GenerationError(f"num_frames has {len(given)} numbers for {rows} rows: give one, or one for each")
    return given
