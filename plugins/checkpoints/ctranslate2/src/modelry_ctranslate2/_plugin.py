"""What the registry reads: a checkpoint format."""

from modelry_registry import CheckpointFormat, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Register the reader of model.bin files."""
    registrar.checkpoint(
        CheckpointFormat(
            name="ctranslate2",
            reader="modelry_ctranslate2.reader:CTranslate2Reader",
            files=("model.bin",),
            companions=("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"),
            help="CTranslate2's layout of Whisper, which faster-whisper uses.",
        )
    )
