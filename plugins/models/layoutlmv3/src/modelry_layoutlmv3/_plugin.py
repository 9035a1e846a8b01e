"""What the registry reads: the LayoutLMv3 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl

TINY = {
    "model_type": "layoutlmv3",
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "coordinate_size": 6,
    "shape_size": 4,
    "rel_pos_bins": 8,
    "max_rel_pos": 16,
    "rel_2d_pos_bins": 8,
    "max_rel_2d_pos": 32,
    "input_size": 32,
    "patch_size": 16,
}
"""A model under a megabyte, for tests."""


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="layoutlmv3",
            config="modelry_layoutlmv3.configuration:LayoutLMv3Config",
            heads={
                "base": "modelry_layoutlmv3.modeling:LayoutLMv3Model",
                "sequence-classification": "modelry_layoutlmv3.heads:LayoutLMv3ForSequenceClassification",
                "token-classification": "modelry_layoutlmv3.heads:LayoutLMv3ForTokenClassification",
                "question-answering": "modelry_layoutlmv3.heads:LayoutLMv3ForQuestionAnswering",
                "document-question-answering": "modelry_layoutlmv3.heads:LayoutLMv3ForQuestionAnswering",
            },
            preprocessors={
                "processor": "modelry_layoutlmv3.processing:LayoutLMv3Processor",
                "tokenizer": "modelry_layoutlmv3.tokenizer:LayoutLMv3Tokenizer",
                "image-processor": "modelry_layoutlmv3.image_processor:LayoutLMv3ImageProcessor",
            },
            modalities=("text", "image"),
            released="2022-04-18",
            papers=("https://arxiv.org/abs/2204.08387",),
            tiny=TINY,
        )
    )
