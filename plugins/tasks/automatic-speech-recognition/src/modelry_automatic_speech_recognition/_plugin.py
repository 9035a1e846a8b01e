"""What the registry reads of this package."""

from modelry_registry import Registrar, Task, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the task."""
    registrar.task(
        Task(
            name="automatic-speech-recognition",
            pipeline="modelry_automatic_speech_recognition.pipeline:AutomaticSpeechRecognitionPipeline",
            heads=("ctc", "speech-seq2seq"),
            preprocessors=("feature-extractor", "tokenizer"),
            inputs=("audio",),
            outputs=("text",),
            help="Write down what is said.",
        )
    )
