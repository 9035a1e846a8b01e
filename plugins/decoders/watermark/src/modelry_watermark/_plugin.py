"""What the registry reads."""

from modelry_registry import Decoder, Registrar, hookimpl, resolve


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the strategy, under whose name generate() finds the watermark."""
    registrar.decoder(
        Decoder(
            name="watermark",
            decode="modelry_watermark.decoding:decode",
            parameters="modelry_watermark.decoding:WatermarkParameters",
            papers=("https://arxiv.org/abs/2301.10226", "https://www.nature.com/articles/s41586-024-08025-4"),
            help="Marks text for a detector; watermarking_config does it beside any other strategy.",
        )
    )


@hookimpl
def modelry_logits_processors(config: object) -> list[object]:
    """The processor that a config's `watermarking_config` asks for."""
    make: object = resolve("modelry_watermark.choice:processors")
    assert callable(make)
    found: list[object] = make(config)
    return found
