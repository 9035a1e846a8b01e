"""What the registry reads: one checkpoint format, named as its suffix, and the scheme that keeps it packed."""

from modelry_registry import CheckpointFormat, Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Register the reader of .gguf files, and the scheme."""
    registrar.checkpoint(
        CheckpointFormat(
            name="gguf",
            reader="modelry_gguf.reader:GgufReader",
            suffixes=(".gguf",),
            help="llama.cpp's format: configuration, tokenizer and weights in one file.",
        )
    )
    registrar.quantizer(
        Quantizer(
            name="gguf",
            quantizer="modelry_gguf.quantizing:GgufQuantizer",
            parameters="modelry_gguf.parameters:GgufParameters",
            bits=(4, 8),
            help="Q4_0, Q4_1 and Q8_0 blocks of a .gguf file, kept packed; or made of a float checkpoint.",
        )
    )
