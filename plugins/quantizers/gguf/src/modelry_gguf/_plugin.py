"""What the registry reads: a checkpoint format, the scheme that keeps it packed, and the command that writes it."""

from modelry_registry import CheckpointFormat, Command, Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Register the reader of .gguf files, the scheme, and the command that writes them."""
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
    registrar.command(
        Command(name="gguf", command="modelry_gguf.command:gguf", help="Write a model as a .gguf file for llama.cpp.")
    )
