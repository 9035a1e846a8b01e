"""Names of activation functions, for configurations: plain data, without torch. The functions are in activations.py."""

from typing import Literal

ActivationName = Literal[
    "gelu",
    "gelu_fast",
    "gelu_new",
    "gelu_pytorch_tanh",
    "leaky_relu",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
]
"""What `hidden_act` may say in a family that takes them all."""
