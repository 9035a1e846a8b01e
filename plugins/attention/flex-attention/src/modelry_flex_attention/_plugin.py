"""What the registry reads: flex attention, under the ecosystem's name."""

from modelry_registry import AttentionBackend, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the backend."""
    registrar.attention(
        AttentionBackend(
            name="flex_attention",
            attend="modelry_flex_attention.attending:flex_attention",
            help="torch.nn.attention.flex_attention: compiled on an accelerator, blocks nobody sees are left out.",
        )
    )
