"""What a tokenizer does with a text: there and back, offsets, padding, truncation, special tokens, pairs, tensors."""

from modelry_testing.errors import ContractBroken
from modelry_testing.preprocessors.subject import Subject, listed

UNREADABLE = "\ufffd"


def round_trip(subject: Subject, *, exact: bool) -> None:
    """decode(encode(text))."""
    tokenizer = subject.loaded
    for text in (*subject.items, ""):
        ids = tokenizer(text)["input_ids"]
        found = tokenizer.decode(ids, skip_special_tokens=True)
        same = found == text if exact else _bare(found) == _bare(text)
        if not same:
            raise ContractBroken(f"{text!r} comes back as {found!r}")
    if tokenizer.batch_decode([tokenizer(one)["input_ids"] for one in subject.items]) != [
        tokenizer.decode(tokenizer(one)["input_ids"]) for one in subject.items
    ]:
        raise ContractBroken("batch_decode gives other texts than decode")


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()


def offsets(subject: Subject) -> None:
    """Bounds, order, cover, and the text they point at."""
    tokenizer = subject.loaded
    for text in subject.items:
        row = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        special = row["special_tokens_mask"]
        spans = [tuple(span) for span, mark in zip(row["offset_mapping"], special, strict=True) if not mark]
        ids = [one for one, mark in zip(row["input_ids"], special, strict=True) if not mark]
        if any(not 0 <= start <= end <= len(text) for start, end in spans):
            raise ContractBroken(f"offsets of {text!r} leave the text: {spans}")
        if [start for start, _ in spans] != sorted(start for start, _ in spans):
            raise ContractBroken(f"offsets of {text!r} are not in order: {spans}")
        covered = {place for start, end in spans for place in range(start, end)}
        missed = [text[place] for place in range(len(text)) if place not in covered and not text[place].isspace()]
        if missed:
            raise ContractBroken(f"offsets of {text!r} cover nothing of {''.join(missed)!r}")
        for one, (start, end) in zip(ids, spans, strict=True):
            said = tokenizer.decode([one])
            if UNREADABLE not in said and _bare(said.removeprefix("##")) != _bare(text[start:end]):
                raise ContractBroken(f"a token that says {said!r} has the offsets of {text[start:end]!r}")


def padding(subject: Subject) -> None:
    """Sides and lengths."""
    tokenizer = subject.load()
    if tokenizer.pad_token_id is None:
        raise ContractBroken("the tokenizer has no pad token, so batches cannot be made: name one in its files")
    alone = [one["input_ids"] for one in subject.alone]
    longest = max(map(len, alone))
    for side in ("right", "left"):
        tokenizer.padding_side = side
        for options, width in (
            ({"padding": True}, longest),
            ({"padding": "max_length", "max_length": longest + 3}, longest + 3),
            ({"padding": True, "pad_to_multiple_of": 8}, -(-longest // 8) * 8),
        ):
            rows = tokenizer(list(subject.items), **options)
            for ids, mask, expected in zip(rows["input_ids"], rows["attention_mask"], alone, strict=True):
                fill = width - len(expected)
                filling = [tokenizer.pad_token_id] * fill
                wanted = expected + filling if side == "right" else filling + expected
                ones = [1] * len(expected)
                if ids != wanted or mask != (ones + [0] * fill if side == "right" else [0] * fill + ones):
                    raise ContractBroken(f"{options} on the {side} gives {ids} with the mask {mask}, and not {wanted}")


def truncation(subject: Subject) -> None:
    """Both sides, to every length that leaves something."""
    tokenizer = subject.load()
    text = max(subject.items, key=len)
    plain = tokenizer(text, add_special_tokens=False)["input_ids"]
    for side in ("right", "left"):
        tokenizer.truncation_side = side
        for length in (1, 3, len(plain), len(plain) + 5):
            found = tokenizer(text, add_special_tokens=False, truncation=True, max_length=length)["input_ids"]
            wanted = plain[:length] if side == "right" else plain[-length:]
            if found != wanted:
                raise ContractBroken(f"truncation to {length} on the {side} gives {found}, and not {wanted}")
    whole = tokenizer(text)["input_ids"]
    added = len(whole) - len(plain)
    if len(tokenizer(text, truncation=True, max_length=added + 2)["input_ids"]) != added + 2:
        raise ContractBroken("truncation does not leave room for the special tokens")


def special_tokens(subject: Subject) -> None:
    """Ids, masks, and skip_special_tokens."""
    tokenizer = subject.loaded
    known = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    if not known:
        raise ContractBroken("the tokenizer has no special tokens")
    for token, number in known.items():
        if tokenizer.convert_tokens_to_ids(token) != number or tokenizer.convert_ids_to_tokens(number) != token:
            raise ContractBroken(f"{token!r} has the id {number}, and its id is not it")
        row = tokenizer(f"in{token}in", add_special_tokens=False)["input_ids"]
        if row.count(number) != 1:
            raise ContractBroken(f"{token!r} in a text is not the one token {number}: {row}")
        if token in tokenizer.decode(row, skip_special_tokens=True):
            raise ContractBroken(f"skip_special_tokens leaves {token!r}")
    row = tokenizer(subject.items[0], return_special_tokens_mask=True)
    marked = [one for one, mark in zip(row["input_ids"], row["special_tokens_mask"], strict=True) if mark]
    if any(one not in known.values() for one in marked):
        raise ContractBroken(f"the special tokens mask marks {marked}, which are not all special")


def pairs(subject: Subject) -> None:
    """Each text's tokens are its own."""
    tokenizer = subject.loaded
    first, second = subject.items[:2]
    row = tokenizer(first, second)
    for number, text in enumerate((first, second)):
        mine = [one for one, of in zip(row["input_ids"], row.sequence_ids(), strict=True) if of == number]
        if mine != tokenizer(text, add_special_tokens=False)["input_ids"]:
            raise ContractBroken(f"in a pair, sequence ids give text {number} the tokens {mine}")


def tensors(subject: Subject) -> None:
    """Shapes and numbers."""
    tokenizer = subject.loaded
    texts = list(subject.items)
    lists = listed(tokenizer(texts, padding=True))
    for kind in ("pt", "np"):
        made = tokenizer(texts, padding=True, return_tensors=kind)
        if listed(made) != lists:
            raise ContractBroken(f"return_tensors={kind!r} gives other numbers than lists")
        if made["input_ids"].ndim != 2 or tokenizer(texts[0], return_tensors=kind)["input_ids"].ndim != 2:
            raise ContractBroken(f"return_tensors={kind!r} does not give (batch, tokens)")
