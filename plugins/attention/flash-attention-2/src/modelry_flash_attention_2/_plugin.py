"""What the registry reads: two generations of flash attention, under the ecosystem's names."""

from modelry_registry import AttentionBackend, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the backends."""
    registrar.attention(
        AttentionBackend(
            name="flash_attention_2",
            attend="modelry_flash_attention_2.attending:flash_attention_2",
            biases=False,
            patterns=False,
            module="flash_attn",
            install="pip install flash-attn --no-build-isolation (it needs an NVIDIA or AMD GPU and its toolkit)",
            help="The package flash-attn: float16 and bfloat16 on a GPU, padding is left out.",
        )
    )
    registrar.attention(
        AttentionBackend(
            name="flash_attention_3",
            attend="modelry_flash_attention_2.attending:flash_attention_3",
            biases=False,
            patterns=False,
            module="flash_attn_interface",
            install="python setup.py install in the folder hopper of https://github.com/Dao-AILab/flash-attention",
            help="The same for Hopper GPUs, built from source; without dropout.",
        )
    )
