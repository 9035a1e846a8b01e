"""What the registry reads: the int4 scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="int4",
            quantizer="modelry_int4.quantizing:Int4Quantizer",
            parameters="modelry_int4.parameters:Int4Parameters",
            bits=(4,),
            help="4-bit weights in groups, with scale and zero; on the fly.",
        )
    )
