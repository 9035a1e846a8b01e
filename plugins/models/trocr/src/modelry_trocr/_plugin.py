"""What the registry reads: the decoder of TrOCR."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="trocr",
            config="modelry_trocr.configuration:TrOCRConfig",
            heads={"causal-lm": "modelry_trocr.modeling:TrOCRForCausalLM"},
            preprocessors={
                "processor": "modelry_trocr.processing:TrOCRProcessor",
                "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
            },
            modalities=("text",),
            released="2021-09-21",
            papers=("https://arxiv.org/abs/2109.10282",),
            tiny={
                "model_type": "trocr",
                "vocab_size": 96,
                "d_model": 24,
                "decoder_layers": 2,
                "decoder_attention_heads": 4,
                "decoder_ffn_dim": 32,
                "max_position_embeddings": 64,
                "dropout": 0.0,
            },
        )
    )
