"""What the registry reads: the compressed-tensors scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="compressed-tensors",
            quantizer="modelry_compressed_tensors.quantizing:CompressedTensorsQuantizer",
            parameters="modelry_compressed_tensors.parameters:CompressedTensorsParameters",
            bits=(4, 8),
            help="4- and 8-bit weights in the layouts of compressed-tensors; published or on the fly.",
        )
    )
