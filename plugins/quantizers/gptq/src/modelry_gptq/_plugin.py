"""What the registry reads: the gptq scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="gptq",
            quantizer="modelry_gptq.quantizing:GptqQuantizer",
            parameters="modelry_gptq.parameters:GptqParameters",
            bits=(4, 8),
            help="Reads and writes checkpoints in the layout of GPTQ: 4 and 8 bits, groups, zero points.",
        )
    )
