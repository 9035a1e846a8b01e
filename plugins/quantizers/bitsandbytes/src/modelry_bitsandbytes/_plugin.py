"""What the registry reads: the bitsandbytes scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="bitsandbytes",
            quantizer="modelry_bitsandbytes.quantizing:BitsAndBytesQuantizer",
            parameters="modelry_bitsandbytes.parameters:BitsAndBytesParameters",
            bits=(4, 8),
            help="NF4, FP4 and LLM.int8 by the bitsandbytes package; reads and writes its checkpoints.",
        )
    )
