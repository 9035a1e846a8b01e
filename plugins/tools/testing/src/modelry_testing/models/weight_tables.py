"""The weight table: every tensor has one row or keeps its name; writing then reading gives the same bits."""

import torch
from torch import Tensor

from modelry.checkpoint.naming import table_of
from modelry.checkpoint.weight_table import Ignore, Row
from modelry.tying import tied_names
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject
from modelry_testing.models.weights import stored_names


def total_and_reversible(subject: Subject) -> None:
    """Model to checkpoint and back, for every head; what save_pretrained writes is what the table says."""
    unused: set[Row] = set()
    used: set[Row] = set()
    for head in subject.family.heads:
        model = subject.model(head)
        name = type(model).__name__
        table = table_of(model)
        tied = tied_names(model)
        held = {key: one.detach() for key, one in model.state_dict(keep_vars=True).items() if key not in tied}
        stored: dict[str, Tensor] = {}
        for step in table.writing(held, {key: len(one) for key, one in held.items() if one.ndim}):
            used.add(step.row)
            written = step.row.write([held[key] for key in step.ours])
            twice = [key for key in step.stored if key in stored]
            if twice:
                raise ContractBroken(f"the weight table of {name} writes {', '.join(twice)} twice")
            stored |= dict(zip(step.stored, written, strict=True))
        again: dict[str, Tensor] = {}
        for step in table.reading(stored):
            again |= dict(zip(step.ours, step.row.read([stored[key] for key in step.stored]), strict=True))
        if again.keys() != held.keys():
            raise ContractBroken(f"the weight table of {name} loses or invents {sorted(again.keys() ^ held.keys())}")
        changed = [key for key in held if not torch.equal(again[key], held[key])]
        if changed:
            raise ContractBroken(f"the weight table of {name} does not give back {', '.join(changed)}")
        shapes = {key: tuple(one.shape) for key, one in stored.items()}
        if stored_names(subject.saved(head)) != shapes:
            raise ContractBroken(f"save_pretrained of {name} does not write the names and shapes of its weight table")
        unused |= {row for row in table.rows if row.written and not isinstance(row, Ignore)}
    idle = sorted(str(row.stored) for row in unused - used)
    if idle:
        raise ContractBroken(f"rows of the weight table speak of no tensor: {', '.join(idle)}")
