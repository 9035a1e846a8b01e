"""Inference preparation: one decode step of a decoder made of the kernel's bricks, with few operations a layer.

It acts from outside on a finished model, whose definition, parameters and names stay as they are. `prepared_step` looks
whether it knows all parts of a model (`parts.py`), lays a step of them over buffers that live as long as one generation
(`decoder_step.py`, `layer_step.py`, `products.py`), and holds the first step of every model against the model itself.
Decoders that look at an encoder's output have rooms of their own (`answer_parts.py`, `answer_step.py`,
`answer_layer.py`).
"""

from modelry.inference.preparing import PreparedStep, prepared_step

__all__ = ["PreparedStep", "prepared_step"]
