"""What a published `tokenizer_class` implies where the files say nothing: special tokens, inputs, sides, layout."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_IDS = ("input_ids", "attention_mask")
_IDS_AND_TYPES = ("input_ids", "token_type_ids", "attention_mask")

_BERT = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
_GPT2 = {"unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
_ROBERTA: Mapping[str, Any] = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": {"content": "<mask>", "lstrip": True, "special": True, "normalized": False},
}
_LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
_T5 = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
_ALONE = {"lstrip": True, "rstrip": True, "special": True, "normalized": False}
_SIGLIP = {name: {"content": text, **_ALONE} for name, text in {**_T5, "pad_token": "</s>"}.items()}
_MBART_LANGUAGES = (
    *("ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX"),
    *("kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN"),
    "zh_CN",
)
_MBART50_LANGUAGES = (
    *_MBART_LANGUAGES,
    *("af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN", "mn_MN"),
    *("mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK"),
    *("xh_ZA", "gl_ES", "sl_SI"),
)
"""In the order of their tokens. Tang et al. 2020, https://arxiv.org/abs/2008.00401."""


@dataclass(frozen=True)
class ClassDefaults:
    """Defaults of one published class; every one gives way to tokenizer_config.json."""

    special: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Name -> token, as a string or with its flags."""
    input_names: tuple[str, ...] = _IDS
    padding_side: str = "right"
    layout: str | None = None
    """How files other than tokenizer.json become a tokenizer: "wordpiece", "byte-bpe", "roberta" or "sentencepiece"."""
    add_bos: bool = False
    add_eos: bool = False
    extra_ids: int = 0
    """Sentinel tokens <extra_id_N> after the vocabulary."""
    implied: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Further keys of tokenizer_config.json, where a tokenizer is built of other files than tokenizer.json."""
    renumbered: bool = False
    """The pieces of a SentencePiece model have other numbers; see sentencepiece_layouts.renumbered."""
    languages: tuple[str, ...] = ()
    """Tokens of languages behind those pieces."""
    framed: bool = False
    """cls_token and sep_token stand around texts of a SentencePiece model."""
    words_only: bool = False
    """Punctuation is dropped before a SentencePiece model sees a text, and capitals unless do_lower_case is false."""
    prefix_space: bool = False
    """Every text, or word where texts are split into words, begins as behind a space."""


_WORDPIECE = ClassDefaults(_BERT, _IDS, layout="wordpiece")
_WORDPIECE_TYPES = ClassDefaults(_BERT, _IDS_AND_TYPES, layout="wordpiece")
_LLAMA_MODEL = ClassDefaults(_LLAMA, padding_side="left", layout="sentencepiece", add_bos=True)

_CLASSES: Mapping[str, ClassDefaults] = {
    **dict.fromkeys(
        ("Bert", "Electra", "MobileBert", "ConvBert", "Lxmert", "SqueezeBert", "DPRReader"), _WORDPIECE_TYPES
    ),
    **dict.fromkeys(("DPRQuestionEncoder", "DPRContextEncoder", "LayoutLM", "Retribert"), _WORDPIECE_TYPES),
    **dict.fromkeys(("DistilBert", "MPNet", "Funnel"), _WORDPIECE),
    **dict.fromkeys(("Deberta", "DebertaV2", "Canine"), ClassDefaults({}, _IDS_AND_TYPES)),
    "FNet": ClassDefaults({}, ("input_ids", "token_type_ids")),
    "GPT2": ClassDefaults(_GPT2, layout="byte-bpe"),
    **dict.fromkeys(("Roberta", "Bart", "Longformer", "LED", "Mvp"), ClassDefaults(_ROBERTA, layout="roberta")),
    "LayoutLMv3": ClassDefaults(_ROBERTA, (*_IDS, "bbox"), layout="roberta", prefix_space=True),
    "Llama": _LLAMA_MODEL,
    "CodeLlama": _LLAMA_MODEL,
    "Gemma": ClassDefaults(
        {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"},
        padding_side="left",
        layout="sentencepiece",
        add_bos=True,
    ),
    "T5": ClassDefaults(_T5, layout="sentencepiece", add_eos=True, extra_ids=100),
    "Siglip": ClassDefaults(
        _SIGLIP,
        layout="sentencepiece",
        add_eos=True,
        words_only=True,
        implied=MappingProxyType({"model_max_length": 64}),
    ),
    "XLMRoberta": ClassDefaults(_ROBERTA, layout="sentencepiece", renumbered=True, framed=True),
    "MBart": ClassDefaults(_ROBERTA, layout="sentencepiece", renumbered=True, languages=_MBART_LANGUAGES),
    "MBart50": ClassDefaults(_ROBERTA, layout="sentencepiece", renumbered=True, languages=_MBART50_LANGUAGES),
    "Cohere": ClassDefaults({}, padding_side="left"),
    "XLNet": ClassDefaults({}, padding_side="left"),
}

_GENERIC = {
    "wordpiece": ClassDefaults(_BERT, _IDS, layout="wordpiece"),
    "byte-bpe": ClassDefaults(_GPT2, layout="byte-bpe"),
    "sentencepiece": ClassDefaults(layout="sentencepiece"),
}

GENERIC_NAMES = ("PreTrained", "TokenizersBackend", "")
"""Classes that say nothing about the tokenizer."""


def short_name(tokenizer_class: str | None) -> str:
    """ "Bert" for "BertTokenizer" and "BertTokenizerFast"."""
    return (tokenizer_class or "").removesuffix("Fast").removesuffix("Tokenizer")


def class_of_family(model_type: object) -> str | None:
    """The published class that a family's files were written by where they name none: it has the family's name."""
    known = {name.lower(): f"{name}Tokenizer" for name in _CLASSES}
    return known.get(str(model_type).replace("-", ""))


def class_defaults(tokenizer_class: str | None, layout: str | None = None) -> ClassDefaults | None:
    """The defaults of a published class, None for one that is not known here.

    Args:
        layout: what the files at hand look like, for classes that say nothing.
    """
    name = short_name(tokenizer_class)
    if name in GENERIC_NAMES:
        return _GENERIC.get(layout or "", ClassDefaults())
    return _CLASSES.get(name)
