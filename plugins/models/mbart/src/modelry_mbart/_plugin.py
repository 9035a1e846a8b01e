"""What the registry reads: the mBART family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="mbart",
            config="modelry_mbart.configuration:MBartConfig",
            heads={
                "base": "modelry_mbart.modeling:MBartModel",
                "seq2seq-lm": "modelry_mbart.modeling:MBartForConditionalGeneration",
                "sequence-classification": "modelry_mbart.modeling:MBartForSequenceClassification",
                "question-answering": "modelry_mbart.modeling:MBartForQuestionAnswering",
                "causal-lm": "modelry_mbart.modeling:MBartForCausalLM",
            },
            preprocessors={"tokenizer": "modelry_mbart.tokenizer:MBartTokenizer"},
            modalities=("text",),
            released="2020-01-22",
            papers=("https://arxiv.org/abs/2001.08210", "https://arxiv.org/abs/2008.00401"),
            tiny={
                "model_type": "mbart",
                "vocab_size": 96,
                "d_model": 24,
                "encoder_layers": 2,
                "decoder_layers": 2,
                "encoder_attention_heads": 4,
                "decoder_attention_heads": 4,
                "encoder_ffn_dim": 32,
                "decoder_ffn_dim": 32,
                "max_position_embeddings": 64,
                "dropout": 0.0,
                "forced_eos_token_id": None,
            },
        )
    )
