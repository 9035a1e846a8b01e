"""What the registry reads: the fp8 scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="fp8",
            quantizer="modelry_fp8.quantizing:Fp8Quantizer",
            parameters="modelry_fp8.parameters:Fp8Parameters",
            bits=(8,),
            help="8-bit floating weights (e4m3) with scales of blocks, rows or tensors; published or on the fly.",
        )
    )
