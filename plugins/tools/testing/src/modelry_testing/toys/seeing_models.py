"""A tiny model that sees and writes, with a processor of texts and images, for tasks that put pictures into prompts."""

import json
from pathlib import Path
from typing import Any

from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer

IMAGE = len(vocabulary())
"""The token that stands for a part of an image."""
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
"""Of chats whose messages are lists of parts."""


def save_seeing_model(folder: Path, *, template: str | None = TEMPLATE, **values: Any) -> Path:
    """Write a random LLaVA whose images have four parts, its tokenizer and its processor into `folder`.

    Args:
        template: of chats; None for a model that has none.
        values: of the language model's configuration.

    Raises:
        RegistryError: the family, or one of those inside it, is not installed.
    """
    language = {
        "model_type": "llama",
        "vocab_size": IMAGE + 1,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "pad_token_id": vocabulary()["<|pad|>"],
        "eos_token_id": vocabulary()["<|end|>"],
        **values,
    }
    vision = {
        "model_type": "clip_vision_model",
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 16,
        "patch_size": 8,
    }
    save_picture_model(
        folder,
        "image-text-to-text",
        family="llava",
        processor={"size": {"height": 16, "width": 16}},
        text_config=language,
        vision_config=vision,
        image_token_index=IMAGE,
    )
    write_tokenizer(folder, more=("<image>",))
    settings = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    if template is not None:
        settings["chat_template"] = template
    (folder / "processor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
