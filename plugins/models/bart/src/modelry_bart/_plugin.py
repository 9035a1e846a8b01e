"""What the registry reads: the BART family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="bart",
            config="modelry_bart.configuration:BartConfig",
            heads={
                "base": "modelry_bart.modeling:BartModel",
                "seq2seq-lm": "modelry_bart.modeling:BartForConditionalGeneration",
                "sequence-classification": "modelry_bart.modeling:BartForSequenceClassification",
                "question-answering": "modelry_bart.modeling:BartForQuestionAnswering",
                "causal-lm": "modelry_bart.modeling:BartForCausalLM",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2019-10-29",
            papers=("https://arxiv.org/abs/1910.13461",),
            tiny={
                "model_type": "bart",
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
