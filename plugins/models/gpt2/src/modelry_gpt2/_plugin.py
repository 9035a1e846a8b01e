"""What the registry reads: the GPT-2 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="gpt2",
            config="modelry_gpt2.configuration:GPT2Config",
            heads={
                "base": "modelry_gpt2.modeling:GPT2Model",
                "causal-lm": "modelry_gpt2.heads:GPT2LMHeadModel",
                "double-heads": "modelry_gpt2.heads:GPT2DoubleHeadsModel",
                "sequence-classification": "modelry_gpt2.heads:GPT2ForSequenceClassification",
                "token-classification": "modelry_gpt2.heads:GPT2ForTokenClassification",
                "question-answering": "modelry_gpt2.heads:GPT2ForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2019-02-14",
            papers=(
                "https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf",
            ),
            tiny={
                "model_type": "gpt2",
                "vocab_size": 128,
                "n_embd": 32,
                "n_inner": 48,
                "n_layer": 2,
                "n_head": 4,
                "n_positions": 64,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "tie_word_embeddings": False,
            },
        )
    )
