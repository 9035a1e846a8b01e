"""What the registry reads: the T5 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="t5",
            config="modelry_t5.configuration:T5Config",
            heads={
                "base": "modelry_t5.modeling:T5Model",
                "seq2seq-lm": "modelry_t5.modeling:T5ForConditionalGeneration",
                "text-encoding": "modelry_t5.modeling:T5EncoderModel",
                "sequence-classification": "modelry_t5.modeling:T5ForSequenceClassification",
                "token-classification": "modelry_t5.modeling:T5ForTokenClassification",
                "question-answering": "modelry_t5.modeling:T5ForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2019-10-23",
            papers=("https://arxiv.org/abs/1910.10683", "https://arxiv.org/abs/2002.05202"),
            tiny={
                "model_type": "t5",
                "vocab_size": 96,
                "d_model": 24,
                "d_kv": 8,
                "d_ff": 32,
                "num_layers": 2,
                "num_heads": 3,
                "relative_attention_num_buckets": 8,
                "relative_attention_max_distance": 20,
                "dropout_rate": 0.0,
                "decoder_start_token_id": 0,
            },
        )
    )
