"""What the registry reads: the torchao scheme."""

from modelry_registry import Quantizer, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the scheme."""
    registrar.quantizer(
        Quantizer(
            name="torchao",
            quantizer="modelry_torchao.quantizing:TorchAoQuantizer",
            parameters="modelry_torchao.parameters:TorchAoParameters",
            bits=(4, 8),
            help="Whatever a configuration of the torchao package makes of linear layers.",
        )
    )
