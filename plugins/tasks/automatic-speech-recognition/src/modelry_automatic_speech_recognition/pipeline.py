"""Sounds in, what is said in them out.

B sounds or windows of a batch   N samples   T frames   V vocabulary
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from modelry.errors import ParameterError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.images import compute_by_size
from modelry.pipelines.sounds import needed_feature_extractor, read_sound_item, sound_features
from modelry.preprocessing.audio.reading import read_sound, sound_blocks
from modelry_automatic_speech_recognition.parameters import SpeechRecognitionParameters
from modelry_automatic_speech_recognition.sequential import Listening, Samples, as_chunk, transcribed
from modelry_automatic_speech_recognition.subtitles import to_srt, to_vtt
from modelry_automatic_speech_recognition.windows import windows

SUBTITLES = {"srt": to_srt, "vtt": to_vtt}


class AutomaticSpeechRecognitionPipeline(Pipeline[SpeechRecognitionParameters]):
    """Write down what is said.

    A sound (`modelry.preprocessing.audio.reading` says what that may be), or a row of a data set that holds one as
    `audio`, is answered by `{"text": …}`; with return_timestamps also by `chunks`, each with its `text` and its
    `timestamp`, begin and end in seconds; with output_format by the subtitles under the format's name.
    """

    parameters_class: ClassVar[type[TaskParameters]] = SpeechRecognitionParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._extractor: Any = needed_feature_extractor(self)
        self._words: Any = self.needed_tokenizer()
        self._generates = self.model.can_generate()
        self._rate: int = self._extractor.sampling_rate

    # Reading

    def preprocess(self, item: Any, parameters: SpeechRecognitionParameters) -> Mapping[str, Any]:
        given = read_sound_item(item)
        if self._generates:
            return {"sound": given}  # read as it is heard, so that its length costs no memory
        sound = read_sound(given, rate=self._rate)
        return {**sound_features(self._extractor, sound), "window": (len(sound), 0, 0)}

    def pieces(self, item: Any, parameters: SpeechRecognitionParameters) -> Iterator[Mapping[str, Any]]:
        if self._generates and parameters.return_timestamps in ("char", "word"):
            raise ParameterError(
                f"return_timestamps={parameters.return_timestamps!r} needs a model that writes frame by frame (CTC); "
                f"{type(self.model).__name__} gives segments: return_timestamps=True"
            )
        if self._generates or not parameters.chunk_length_s:
            yield self.preprocess(item, parameters)
            return
        size, left, right = (self._frames_whole(one) for one in (parameters.chunk_length_s, *parameters.strides))
        blocks = sound_blocks(read_sound_item(item), rate=self._rate)
        for part in windows(blocks, size=size, left=left, right=right):
            made = sound_features(self._extractor, part.samples)
            yield {**made, "window": (len(part.samples), part.left, part.right)}

    def _frames_whole(self, seconds: float) -> int:
        """Samples of so many seconds, as a whole number of frames."""
        ratio: int = self.model.config.inputs_to_logits_ratio
        return round(seconds * self._rate / ratio) * ratio

    # Running

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: SpeechRecognitionParameters
    ) -> Mapping[str, Any]:
        """Windows of one length together. A model that generates hears one sound after the other."""
        together = super().compute
        if self._generates:
            return {"segments": [self._heard(one["sound"], parameters) for one in features]}
        return compute_by_size(features, lambda alike: together(alike, parameters), by=self.model.main_input_name)

    def forward(self, batch: dict[str, Tensor], parameters: SpeechRecognitionParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        return {"tokens": self.model(**arguments).logits.argmax(-1)}  # (B, T)

    def _heard(self, given: Any, parameters: SpeechRecognitionParameters) -> Any:
        """What a model that generates writes: tokens of a short sound, or segments."""
        sound = Listening(sound_blocks(given, rate=self._rate), self._extractor.n_samples)
        known = getattr(self.model.generation_config, "no_timestamps_token_id", None)
        if sound.last and not parameters.timed:
            return self._written(sound.part, parameters, stamped=False)

        def write(part: Samples) -> list[int]:
            return self._written(part, parameters, stamped=known is not None)

        first = self.model.config.vocab_size if known is None else known + 1
        step = self._extractor.chunk_length / self.model.config.max_source_positions
        return transcribed(sound, write, rate=self._rate, first=first, step=step)

    def _written(self, part: Any, parameters: SpeechRecognitionParameters, *, stamped: bool) -> list[int]:
        made = self._extractor([part], return_tensors="pt")
        named = {"language": parameters.language, "return_timestamps": stamped or None}
        options = {name: value for name, value in named.items() if value is not None}
        features = made[self.model.main_input_name].to(self.device, self.dtype)
        ids: Tensor = self.model.generate(features, **{**options, **parameters.generate_kwargs})
        ends = {*self.model.generation_config.end_tokens, self.model.config.eos_token_id}
        row: list[int] = ids[0].tolist()
        cut = next((place for place, token in enumerate(row) if token in ends), len(row))
        return row[:cut]

    # Writing

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: SpeechRecognitionParameters) -> Any:
        if self._generates:
            return self._answer_of_segments(outputs[0]["segments"], parameters)
        tokens = [token for one in outputs for token in self._own_part(one)]
        answer: dict[str, Any] = {"text": self._words.decode(tokens)}
        if parameters.timed:
            answer["chunks"] = self._timed(tokens, "char" if parameters.return_timestamps == "char" else "word")
        return self._finished(answer, parameters)

    def postprocess(self, output: dict[str, Any], parameters: SpeechRecognitionParameters) -> Any:
        return self.merge([output], parameters)

    def _own_part(self, output: Mapping[str, Any]) -> list[int]:
        """A window's tokens without those of its neighbours."""
        count, left, right = output["window"]
        tokens: list[int] = output["tokens"].tolist()
        if not left and not right:
            return tokens
        frames = round(count / self.model.config.inputs_to_logits_ratio)
        return tokens[round(left / count * frames) : frames - round(right / count * frames)]

    def _timed(self, tokens: list[int], kind: str) -> list[dict[str, Any]]:
        found = self._words.decode(tokens, **{f"output_{kind}_offsets": True})
        seconds = self.model.config.inputs_to_logits_ratio / self._rate
        return [
            {"text": one[kind], "timestamp": (one["start_offset"] * seconds, one["end_offset"] * seconds)}
            for one in found[f"{kind}_offsets"]
        ]

    def _answer_of_segments(self, heard: Any, parameters: SpeechRecognitionParameters) -> dict[str, Any]:
        if heard and isinstance(heard[0], int):
            return {"text": self._words.decode(heard, skip_special_tokens=True)}
        chunks = [
            as_chunk(self._words.decode(one.tokens, skip_special_tokens=True), one.begin, one.end) for one in heard
        ]
        answer: dict[str, Any] = {"text": "".join(one["text"] for one in chunks)}
        if parameters.timed:
            answer["chunks"] = chunks
        return self._finished(answer, parameters)

    @staticmethod
    def _finished(answer: dict[str, Any], parameters: SpeechRecognitionParameters) -> dict[str, Any]:
        if parameters.output_format != "text":
            answer[parameters.output_format] = SUBTITLES[parameters.output_format](answer["chunks"])
        if not parameters.return_timestamps:
            answer.pop("chunks", None)
        return answer

    def display(self, answer: Any) -> str:
        return str(next((answer[name] for name in SUBTITLES if name in answer), answer["text"]))
