"""Tiny GGUF files, written with the gguf package from random models and freshly trained tokenizers."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

TINY = {
    "vocab_size": 320,
    "hidden_size": 256,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
}
"""config.json values; rows of 256 so that every K type fits."""

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stored_name(published: str) -> str:
    """The GGUF name of a published one."""
    published = published.removeprefix("model.")
    whole = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
    stem, kind = published.rsplit(".", 1)
    if stem in whole:
        return f"{whole[stem]}.{kind}"
    _, layer, inner = stem.split(".", 2)
    return f"blk.{layer}.{NAMES[inner]}.{kind}"


def pairs(weights: np.ndarray, heads: int) -> np.ndarray:
    """Query or key rows as llama.cpp's converter stores them: the two of a rotation side by side."""
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def random_blocks(kind: Type, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Packed rows of random bits with finite scales, for types that the gguf package cannot quantize to."""
    size, width = gguf.GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (*shape[:-1], shape[-1] // size, width), dtype=np.uint8)
    scales = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}[kind.name]
    for at in scales:
        scale = rng.uniform(1e-4, 1e-3, blocks.shape[:-1]).astype(np.float16)
        blocks[..., at : at + 2] = scale[..., None].view(np.uint8)
    return blocks.reshape(*shape[:-1], -1)


@pytest.fixture(scope="session")
def write_model() -> Callable[..., Any]:
    """A function (path, **options) that writes a random model and returns it as transformers has it."""

    def write(
        path: Path,
        *,
        kind: Type | Callable[[str], Type] = Type.F32,
        family: str = "llama",
        tokenizer: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        extra: dict[str, np.ndarray] | None = None,
        **values: Any,
    ) -> Any:
        import transformers

        config = transformers.AutoConfig.for_model(family, **TINY | values)
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.data.add_(torch.randn_like(parameter) * 0.1)
        writer = gguf.GGUFWriter(path, family)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_head_count(config.num_attention_heads)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_key_length(config.head_dim)
        writer.add_context_length(config.max_position_embeddings)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        for key, value in (facts or {}).items():
            add_value(writer, key, value)
        for key, value in (tokenizer or {}).items():
            add_value(writer, key, value)
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        for index, (name, tensor) in enumerate(model.state_dict().items()):
            if name == "lm_head.weight" and config.tie_word_embeddings:
                continue
            weights = tensor.numpy()
            rotating = name.split(".")[-2]
            if family == "llama" and rotating in heads:
                weights = pairs(weights, heads[rotating])
            stored = stored_name(name)
            add_weights(writer, stored, weights, kind(stored) if callable(kind) else kind, seed=index)
        for name, array in (extra or {}).items():
            writer.add_tensor(name, array)
        finish(writer)
        return model

    return write


def add_value(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    """Add a metadata value with the type a Python value suggests."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def add_weights(writer: gguf.GGUFWriter, name: str, weights: np.ndarray, kind: Type, *, seed: int) -> None:
    """Matrices in `kind`, lists in F32, as converters do."""
    if weights.ndim == 1 or kind == Type.F32:
        writer.add_tensor(name, weights)
    elif kind == Type.F16:
        writer.add_tensor(name, weights.astype(np.float16))
    elif kind.name.endswith("_K"):
        writer.add_tensor(name, random_blocks(kind, weights.shape, seed), raw_dtype=kind)
    else:
        writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)


def finish(writer: gguf.GGUFWriter) -> None:
    """Write what was added."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


CORPUS = [
    "The quick brown fox jumps over the lazy dog. I'll say it's 12,345 times what we've seen before!",
    "def fibonacci(n: int) -> int:\n    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)\n",
    "Grüße aus München, où l'été est déjà passé. Привет, мир! Здравствуйте.",
    "今日は良い天気ですね。你好，世界。 안녕하세요 세계",
    "السلام عليكم ورحمة الله وبركاته. שלום עולם",
    "😀 👩‍👩‍👧‍👦 🇫🇷 emoji and   spaces\t\ttabs\r\n\r\nnewlines\n\n\n1. list\n2. list",
    "the the the then there their they them these those this that",
]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """More than 200 varied texts: prose, code, numbers, scripts, emoji, spaces, control characters, the empty text."""
    rng = random.Random(0)
    alphabet = [
        *"abc XYZ 019 .,;:!?'\"()[]{}<>|/\\_-+=*&^%$#@~`",
        *"äßéñœ", *"жщы", *"你好世界", *"ひらカナ", *"한국", *"مرحبا", *"עברית", *"ไทย", *"हिन्दी",
        "😀", "👍🏽", "👩‍👧", "🇩🇪", "\u0301", "\u200d", "\u00a0", "\u3000", "\t", "\n", "\r\n", "  ", "    ",
        "\x00", "\x07", "\x1b", "\x7f", "\u2028", "\ufeff", "½", "Ⅷ", "٣", "'s", "'LL", "n't", "\n\n", "<s>", "</s>",
    ]  # fmt: skip
    made = ["".join(rng.choices(alphabet, k=rng.randrange(1, 40))) for _ in range(260)]
    lines = [line for text in CORPUS for line in (text, text.upper(), text[::-1], f"  {text}  ", text.replace(" ", ""))]
    return ["", " ", "  ", "\n", "\t", "a", "\x00", "�", "1", "12  34", "\n\n5", "x" * 300, " " * 40, *lines, *made]


@pytest.fixture(scope="session")
def byte_level_tokenizer() -> dict[str, Any]:
    """Metadata of a byte-level tokenizer of 320 tokens, trained on a few lines."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|end|>", "<|start|>", "<think>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(CORPUS, trainer)
    model = json.loads(trained.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3, 4] + [1] * (len(tokens) - 3),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in model["merges"]],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.chat_template": "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}",
    }


@pytest.fixture(scope="session")
def sentencepiece_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece BPE model of 420 pieces with byte fallback, made as Llama's was."""
    import sentencepiece

    folder = tmp_path_factory.mktemp("sentencepiece")
    (folder / "corpus.txt").write_text("\n".join(" ".join(text.split()) for text in CORPUS * 3), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "tiny"), model_type="bpe", vocab_size=420,
        byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", split_digits=True,
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, num_threads=1, minloglevel=2,
    )  # fmt: skip
    return folder / "tiny.model"


@pytest.fixture(scope="session")
def sentencepiece_tokenizer(sentencepiece_model: Path) -> dict[str, Any]:
    """The metadata a converter writes for that model."""
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_model))
    pieces = range(model.get_piece_size())
    types = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 1 for i in pieces]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [model.id_to_piece(i) for i in pieces],
        "tokenizer.ggml.scores": [model.get_score(i) for i in pieces],
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": model.bos_id(),
        "tokenizer.ggml.eos_token_id": model.eos_id(),
        "tokenizer.ggml.unknown_token_id": model.unk_id(),
    }


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real SmolLM2-135M-Instruct, Q4_1."""
    repository = Path(__file__).resolve().parents[4]
    models = Path(os.environ.get("MODELRY_MODELS", repository / ".cache" / "models"))
    path = models / "smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.is_file():
        pytest.skip(f"{path} is not there; make models fetches it")
    return path
