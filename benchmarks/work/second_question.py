"""A second question about the same images: of a model that remembers them, and of one that reads all again.

I images   P tokens of a conversation
"""

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.work.engines import Clock
from benchmarks.work.library import library
from benchmarks.worker import Result

QUESTION_TOKENS, NEW_TOKENS = 24, 16

SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "text_config": {
            "model_type": "llama",
            "vocab_size": 49152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "max_position_embeddings": 2048,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "image_size": 224,
            "patch_size": 16,
        },
    },
    "tiny": {
        "text_config": {
            "model_type": "llama",
            "vocab_size": 128,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 24,
            "intermediate_size": 40,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "image_size": 16,
            "patch_size": 8,
        },
    },
}
"""The shapes of SmolLM2-135M and of CLIP's ViT-B/16 as one LLaVA with random weights; and some that say nothing."""


def prepare(side: str, how: str, size: str = "full") -> Callable[[int], Result]:
    """Of a first question, its answer, and a second question, all of random tokens.

    Args:
        how: "remembered" for the cache of the first answer, "anew" for none.
        size: of SIZES.
    """
    module = library(side)
    values = SIZES[size]
    image = values["text_config"]["vocab_size"] - 1
    torch.manual_seed(0)
    config = module.AutoConfig.for_model("llava", image_token_index=image, **values)
    model = module.AutoModelForImageTextToText.from_config(config).eval()
    seen = values["vision_config"]
    parts = (seen["image_size"] // seen["patch_size"]) ** 2

    def measure(images: int) -> Result:
        chance = torch.Generator().manual_seed(images)
        pixels = torch.rand(images, 3, seen["image_size"], seen["image_size"], generator=chance)
        first, second = torch.randint(3, image, (2, 1, QUESTION_TOKENS), generator=chance)
        places = torch.full((1, images * parts), image)
        cache = model.make_cache()
        length = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
        asked = model.generate(torch.cat((places, first), 1), pixel_values=pixels, past_key_values=cache, **length)
        whole = torch.cat((asked, second), 1)  # (1, P)
        clock, held = Clock(), {"past_key_values": cache} if how == "remembered" else {}
        started = time.perf_counter()
        out = model.generate(whole, pixel_values=pixels, streamer=clock, **held, **length)
        return {
            "first_token_seconds": clock.times[1] - started,
            "seconds": clock.times[-1] - started,
            "prompt_tokens": whole.shape[1],
            "tokens": out[0, whole.shape[1] :].tolist(),
        }

    measure(1)  # the first run pays for thread pools and allocations
    return measure
