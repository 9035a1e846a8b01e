"""Where the weights of a new T5 begin: by the width of what they multiply, since attention does not scale.

The widths are those of the first Mesh TensorFlow implementation that the paper names.
"""

from modelry.model import PreTrainedModel


def start_weights(model: PreTrainedModel) -> None:
    """Fill all parameters with the values a new model starts from."""
    PreTrainedModel.initialize_weights(model)
    config = model.config
    wide, inner = config.d_model**-0.5, (config.num_heads * config.d_kv) ** -0.5
    spreads = {
        "q": (config.d_model * config.d_kv) ** -0.5,
        "k": wide,
        "v": wide,
        "o": inner,
        "relative_attention_bias": wide,
        "wi": wide,
        "wi_0": wide,
        "wi_1": wide,
        "wo": config.d_ff**-0.5,
        "shared": 1.0,
        "embed_tokens": 1.0,
        "lm_head": 1.0,
        "classifier": 1.0,
        "qa_outputs": wide,
        "dense": wide,
        "out_proj": wide,
    }
    for name, parameter in model.named_parameters():
        spread = spreads.get(name.removesuffix(".weight").rpartition(".")[2])
        if spread is not None:
            parameter.data.normal_(0.0, config.initializer_factor * spread)
