"""Sounds in, what is said in them out.

B sounds or windows of a batch   N samples   T frames   V vocabulary
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import ParameterError, PreprocessorError
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.images import compute_by_size
from modelry.pipelines.sounds import needed_feature_extractor, read_sound_item, sound_features
from modelry.preprocessing.audio.reading import read_sound, sound_blocks
from modelry_automatic_speech_recognition.generating import Writer
from modelry_automatic_speech_recognition.parameters import SpeechRecognitionParameters
from modelry_automatic_speech_recognition.sequential import Segment
from modelry_automatic_speech_recognition.subtitles import to_srt, to_vtt
from modelry_automatic_speech_recognition.windows import windows

SUBTITLES = {"srt": to_srt, "vtt": to_vtt}
MOST_SECONDS = 600
"""What a model that writes frame by frame is given at once."""


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
        self._rate: int = self._extractor.sampling_rate
        can = self.model.can_generate()
        self._writer = Writer(self.model, self._extractor, self._words) if can else None

    # Reading

    def preprocess(self, item: Any, parameters: SpeechRecognitionParameters) -> Mapping[str, Any]:
        given = read_sound_item(item, parameters)
        if self._writer is not None:
            return {"sound": given}  # read as it is heard, so that its length costs no memory
        sound = read_sound(given, rate=self._rate, most=MOST_SECONDS * self._rate + 1)
        if len(sound) > MOST_SECONDS * self._rate:
            raise PreprocessorError(
                f"the sound is longer than {MOST_SECONDS} seconds, and {type(self.model).__name__} would look at all "
                "of it at once: hear it in windows, with chunk_length_s=20"
            )
        return {**sound_features(self._extractor, sound), "window": (len(sound), *self._beside(given, len(sound)))}

    def _beside(self, given: Any, count: int) -> tuple[int, int]:
        """Samples on either side of a sound that are heard and not written, where its row says so under `stride`.

        Raises:
            PreprocessorError: it says something else than two numbers, or more than there are.
        """
        stride = given.get("stride") if isinstance(given, Mapping) else None
        if stride is None:
            return 0, 0
        ratio = self._rate / given.get("sampling_rate", self._rate)
        try:
            left, right = (round(one * ratio) for one in stride)
        except (TypeError, ValueError) as error:
            raise PreprocessorError(
                f"the sound's stride is {stride!r:.60}; two numbers of samples are needed"
            ) from error
        if min(left, right) < 0 or left + right > count:
            raise PreprocessorError(f"the sound's stride is {stride!r:.60}, and it has {count} samples: give less")
        return left, right

    def pieces(self, item: Any, parameters: SpeechRecognitionParameters) -> Iterator[Mapping[str, Any]]:
        if self._writer is not None:
            self._writer.check(parameters)
        elif parameters.return_language:
            raise ParameterError(
                f"return_language needs a model that knows several languages; {type(self.model).__name__} knows none"
            )
        elif parameters.assistant_model is not None:
            raise ParameterError(
                f"assistant_model drafts text for models that generate it; {type(self.model).__name__} writes frame by "
                "frame: leave it out"
            )
        if not parameters.chunk_length_s:
            yield self.preprocess(item, parameters)
            return
        blocks = sound_blocks(read_sound_item(item, parameters), rate=self._rate)
        if self._writer is not None:
            yield from self._writer.windows(blocks, parameters)
            return
        size, left, right = (self._frames_whole(one) for one in (parameters.chunk_length_s, *parameters.strides))
        for part in windows(blocks, size=size, left=left, right=right):
            made = sound_features(self._extractor, part.samples)
            yield {**made, "window": (len(part.samples), part.left, part.right)}

    def _frames_whole(self, seconds: float) -> int:
        """Samples of so many seconds, as a whole number of frames."""
        ratio: int = self.model.config.inputs_to_logits_ratio
        return round(seconds * self._rate / ratio) * ratio

    # Running

    def __call__(self, inputs: Any, *, progress: bool | None = None, **options: Any) -> Any:
        """Answer; see `Pipeline.__call__`. `progress` holds for the seconds of a long sound, too."""
        shown = {} if progress is None else {"show_progress": progress}
        return super().__call__(inputs, progress=progress, **{**shown, **options})

    def compute(
        self, features: Sequence[Mapping[str, Any]], parameters: SpeechRecognitionParameters
    ) -> Mapping[str, Any]:
        """Windows of one length together. A model that generates hears windows together, or one long sound."""
        together, writer = super().compute, self._writer
        if writer is None:
            return compute_by_size(features, lambda alike: together(alike, parameters), by=self.model.main_input_name)
        if "sound" in features[0]:
            return {"segments": [self._transcribed(one["sound"], parameters) for one in features]}
        heard = torch.stack([one[self.model.main_input_name] for one in features])
        lengths = [one["window"][1] for one in features]
        return {"written": writer.write(heard, lengths, parameters, stamped=parameters.timed)}

    def _transcribed(self, sound: Any, parameters: SpeechRecognitionParameters) -> list[Segment]:
        assert self._writer is not None
        return self._writer.transcribe(sound_blocks(sound, rate=self._rate), parameters)

    def forward(self, batch: dict[str, Tensor], parameters: SpeechRecognitionParameters) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = batch
        return {"tokens": self.model(**arguments).logits.argmax(-1)}  # (B, T)

    # Writing

    def merge(self, outputs: Sequence[dict[str, Any]], parameters: SpeechRecognitionParameters) -> Any:
        if self._writer is not None:
            said = outputs[0]["segments"] if "segments" in outputs[0] else self._writer.join(outputs, parameters)
            return self._finished(self._answer(self._writer, said, parameters), parameters)
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

    @staticmethod
    def _answer(writer: Writer, said: Sequence[Segment], parameters: SpeechRecognitionParameters) -> dict[str, Any]:
        answer: dict[str, Any] = {"text": writer.text(said)}
        if parameters.return_timestamps == "word":
            answer["chunks"] = writer.words(said, parameters.language)
        elif parameters.timed:
            answer["chunks"] = writer.pieces(said)
        elif parameters.return_language and said:
            answer["chunks"] = [{"language": said[0].language, "text": answer["text"]}]
        return answer

    @staticmethod
    def _finished(answer: dict[str, Any], parameters: SpeechRecognitionParameters) -> dict[str, Any]:
        if parameters.output_format != "text":
            answer[parameters.output_format] = SUBTITLES[parameters.output_format](answer["chunks"])
        if not parameters.return_timestamps and not parameters.return_language:
            answer.pop("chunks", None)
        return answer

    def display(self, answer: Any) -> str:
        return str(next((answer[name] for name in SUBTITLES if name in answer), answer["text"]))
