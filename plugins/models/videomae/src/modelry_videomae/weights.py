"""Published names of the biases of queries and values, which stand beside the layers that they belong to."""

from modelry.checkpoint.weight_table import Rename, WeightTable


def biases_of(layers: str) -> WeightTable:
    """The two rows for each of the layers at that path."""
    attention = f"{layers}.{{i}}.attention.attention"
    return WeightTable(
        Rename(f"{attention}.q_bias", f"{attention}.query.bias"),
        Rename(f"{attention}.v_bias", f"{attention}.value.bias"),
    )
