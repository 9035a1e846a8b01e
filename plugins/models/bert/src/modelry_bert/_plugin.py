"""What the registry reads: the BERT family."""

from modelry_registry import ModelFamily, Registrar, hookimpl

TINY = {
    "model_type": "bert",
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "pad_token_id": 0,
}
"""A model under a megabyte, for tests."""


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="bert",
            config="modelry_bert.configuration:BertConfig",
            heads={
                "base": "modelry_bert.modeling:BertModel",
                "text-encoding": "modelry_bert.modeling:BertModel",
                "pretraining": "modelry_bert.pretraining:BertForPreTraining",
                "masked-lm": "modelry_bert.heads:BertForMaskedLM",
                "causal-lm": "modelry_bert.heads:BertLMHeadModel",
                "next-sentence-prediction": "modelry_bert.heads:BertForNextSentencePrediction",
                "sequence-classification": "modelry_bert.heads:BertForSequenceClassification",
                "token-classification": "modelry_bert.heads:BertForTokenClassification",
                "question-answering": "modelry_bert.heads:BertForQuestionAnswering",
                "multiple-choice": "modelry_bert.heads:BertForMultipleChoice",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2018-10-11",
            papers=("https://arxiv.org/abs/1810.04805",),
            tiny=TINY,
        )
    )
