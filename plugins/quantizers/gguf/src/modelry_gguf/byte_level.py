"""The tokenizer.json of a byte-level vocabulary ("gpt2" in GGUF): every byte is a character, merges join them."""

from modelry.errors import CheckpointError
from modelry_gguf.pre_tokenizers import PreTokenizer
from modelry_gguf.vocabulary import Vocabulary


def byte_level_parts(vocabulary: Vocabulary, cuts: PreTokenizer) -> dict[str, object]:
    """normalizer, pre_tokenizer, decoder and model of tokenizer.json.

    Raises:
        CheckpointError: the file has no merges.
    """
    if vocabulary.merges is None:
        raise CheckpointError(
            f"{vocabulary.where}: the byte-level tokenizer has no tokenizer.ggml.merges. Convert the model again."
        )
    return {
        "normalizer": {"type": "NFC"} if cuts.composes else None,
        "pre_tokenizer": cuts.json(),
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": cuts.whole_words,
            "vocab": vocabulary.ids,
            "merges": vocabulary.merges,
        },
    }
