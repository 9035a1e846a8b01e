"""What the registry reads: the int8 scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="int8",
            quantizer="modelry_int8.quantizing:Int8Quantizer",
            parameters="modelry_int8.parameters:Int8Parameters",
            bits=(8,),
            help="8-bit weights with one scale for each output row; on the fly.",
        )
    )
