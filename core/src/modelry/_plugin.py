"""The kernel's own plugin: attention functions, the safetensors reader and four commands, by everybody's door."""

from modelry_registry import AttentionBackend, CheckpointFormat, Command, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare what the kernel brings."""
    registrar.attention(
        AttentionBackend(
            name="eager",
            attend="modelry.nn.eager:eager_attention",
            weights=True,
            help="Plain matrix products; the only one that returns attention weights.",
        )
    )
    registrar.attention(
        AttentionBackend(
            name="sdpa",
            attend="modelry.nn.sdpa:sdpa_attention",
            help="torch.nn.functional.scaled_dot_product_attention.",
        )
    )
    registrar.checkpoint(
        CheckpointFormat(
            name="safetensors",
            reader="modelry.checkpoint.safetensors_file:SafetensorsReader",
            suffixes=(".safetensors",),
            help="Memory-mapped tensors, no code.",
        )
    )
    registrar.command(
        Command(name="run", command="modelry.cli.run:run", help="Run a task on inputs from the command line.")
    )
    registrar.command(Command(name="chat", command="modelry.cli.chat:chat", help="Talk with a chat model."))
    registrar.command(
        Command(name="quantize", command="modelry.cli.quantize:quantize", help="Pack a model into a new folder.")
    )
    registrar.command(
        Command(name="plan", command="modelry.cli.plan:plan", help="Show how a model would lie on devices.")
    )
