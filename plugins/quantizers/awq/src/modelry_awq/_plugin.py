"""What the registry reads: the awq scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="awq",
            quantizer="modelry_awq.quantizing:AwqQuantizer",
            parameters="modelry_awq.parameters:AwqParameters",
            bits=(4, 8),
            help="Reads and writes checkpoints in the layout of AWQ: 4 and 8 bits, groups, zero points.",
        )
    )
