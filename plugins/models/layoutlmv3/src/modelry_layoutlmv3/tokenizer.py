"""LayoutLMv3's tokenizer: words with boxes, and perhaps with labels, to tokens with boxes and labels."""

from collections.abc import Sequence
from typing import Any, ClassVar

from modelry.errors import PreprocessorError
from modelry.preprocessing.encoding import BatchEncoding
from modelry.preprocessing.tokenizer import Tokenizer
from modelry_layoutlmv3.words import Example, read_examples

NOWHERE = (0, 0, 0, 0)


class LayoutLMv3Tokenizer(Tokenizer):
    """The kernel's tokenizer, which also takes words and their boxes.

    Settings are cls_token_box, sep_token_box and pad_token_box, pad_token_label, and only_label_first_subword: further
    tokens of a word have pad_token_label.
    """

    boxes_name: ClassVar[str] = "bbox"

    def __init__(
        self,
        *arguments: Any,
        cls_token_box: Sequence[int] = NOWHERE,
        sep_token_box: Sequence[int] = NOWHERE,
        pad_token_box: Sequence[int] = NOWHERE,
        pad_token_label: int = -100,
        only_label_first_subword: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.cls_token_box, self.sep_token_box = list(cls_token_box), list(sep_token_box)
        self.pad_token_box, self.pad_token_label = list(pad_token_box), pad_token_label
        self.only_label_first_subword = only_label_first_subword
        self.init_kwargs |= {
            "cls_token_box": self.cls_token_box,
            "sep_token_box": self.sep_token_box,
            "pad_token_box": self.pad_token_box,
            "pad_token_label": pad_token_label,
            "only_label_first_subword": only_label_first_subword,
        }

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        *,
        boxes: Any = None,
        word_labels: Any = None,
        **options: Any,
    ) -> BatchEncoding:
        """Turn words with boxes into model inputs. Without boxes it is the kernel's tokenizer, for texts.

        Args:
            text: a list of words, or a list of such; with `text_pair`, a question or a list of questions.
            text_pair: the words that a question is about, or a list of such.
            boxes: for each word its box: left, top, right and bottom, from 0 to 1000 over the page.
            word_labels: for each word a number.
            options: see `modelry.preprocessing.tokenizer.Tokenizer`.

        Returns:
            Also `bbox`, (tokens, 4) for each text; tokens of a question have the box of padding. And `labels`,
            (tokens,), where there are word_labels.

        Raises:
            PreprocessorError: there are not as many boxes, or labels, as words, a box is outside 0 to 1000, or word
                labels stand alone; names the word.
        """
        if boxes is None:
            if word_labels is not None or (isinstance(text, str) and isinstance(text_pair, list | tuple)):
                raise PreprocessorError("words are given without boxes: give boxes=, one for each word")
            return super().__call__(text, text_pair, text_target, text_pair_target, **options)
        if text_target is not None:
            raise PreprocessorError("text_target does not go with boxes: labels of words are word_labels=")
        options.pop("is_split_into_words", None)  # words always are
        examples, batched = read_examples(text, text_pair, boxes, word_labels)
        kind = options.pop("return_tensors", None)
        overflowing = options.get("return_overflowing_tokens", False)
        encoding = super().__call__(
            [one.question if one.question is not None else one.words for one in examples],
            None if text_pair is None else [one.words for one in examples],
            is_split_into_words=True,
            **options,
        )
        rows = range(len(encoding["input_ids"]))
        of = encoding["overflow_to_sample_mapping"] if overflowing else rows
        data = dict(encoding.items())
        data[self.boxes_name] = [self._boxes(encoding, row, examples[of[row]]) for row in rows]
        if word_labels is not None:
            data["labels"] = [self._labels(encoding, row, examples[of[row]]) for row in rows]
        if not (batched or overflowing or kind):
            data = {name: value if name == "length" else value[0] for name, value in data.items()}
        return BatchEncoding(data, encoding.encodings, tensor_type=kind)

    def filling(self) -> dict[str, Any]:
        return {**super().filling(), self.boxes_name: self.pad_token_box, "labels": self.pad_token_label}

    def _boxes(self, encoding: BatchEncoding, row: int, example: Example) -> list[list[int]]:
        """A box for each token of a row."""
        special = {self.pad_token_id: self.pad_token_box, self.sep_token_id: self.sep_token_box}
        special[self.cls_token_id] = self.cls_token_box
        asked = 0 if example.question is not None else None
        found = []
        for token, word, sequence in zip(
            encoding["input_ids"][row], encoding.word_ids(row), encoding.sequence_ids(row), strict=True
        ):
            if word is None:
                found.append(list(special.get(token, self.sep_token_box)))
            else:
                found.append(list(self.pad_token_box if sequence == asked else example.boxes[word]))
        return found

    def _labels(self, encoding: BatchEncoding, row: int, example: Example) -> list[int]:
        """A label for each token of a row."""
        found, before = [], None
        for word in encoding.word_ids(row):
            first = word is not None and (word != before or not self.only_label_first_subword)
            found.append(example.labels[word] if word is not None and first else self.pad_token_label)
            before = word
        return found
