"""What a name may look like, and how a name that came from outside is shown in a message."""

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""A lookup key: model_type, task, strategy, quant_method, ..."""
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
REFERENCE = re.compile(MODULE.pattern + r":[A-Za-z_]\w*", re.ASCII)
DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", re.ASCII)

NAME_RULE = "up to 64 of A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit first"

LABELS = {
    "models": "model_type",
    "tasks": "task",
    "decoders": "decoding strategy",
    "quantizers": "quantization method",
    "attention": "attention backend",
    "checkpoints": "checkpoint format",
    "commands": "command",
    "hooks": "hook set",
    "optimizers": "optimizer",
    "schedules": "learning rate schedule",
    "callbacks": "training callback",
    "names": "public name",
}
"""Every kind of plugin there is, in the order in which they are listed, and how a message calls it."""
KINDS = tuple(LABELS)


def canonical(distribution: str) -> str:
    """The one spelling of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def quoted(value: object, *, width: int = 64) -> str:
    """Show an untrusted value: control characters escaped, at most `width` characters of it, never its full length."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}" if value is not None else "nothing (null)"
    if len(value) <= width:
        return ascii(value)
    return f"{value[:width]!a}... ({len(value)} characters)"


def labelled(kind: str, name: str) -> str:
    """How a message calls (kind, name): "model_type 'llama'"."""
    return f"{LABELS[kind]} {quoted(name)}"


def label(kind: str) -> str:
    """How a message calls a kind: "model_type" for "models"."""
    return LABELS[kind]


def described(error: BaseException, *, width: int = 500) -> str:
    """One line for an exception that foreign code raised, even one whose __str__ fails."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(its message cannot be printed)"
    return f"{type(error).__name__}: {text[:width]}" if text else type(error).__name__
