"""What the registry reads: one checkpoint format, named as its suffix."""

from modelry_registry import CheckpointFormat, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Register the reader of .gguf files."""
    registrar.checkpoint(
        CheckpointFormat(
            name="gguf",
            reader="modelry_gguf.reader:GgufReader",
            suffixes=(".gguf",),
            help="llama.cpp's format: configuration, tokenizer and weights in one file; dequantized when read.",
        )
    )
