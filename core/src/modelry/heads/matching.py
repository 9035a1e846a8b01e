"""Which prediction answers for which object, so that a loss can be taken: the cheapest one-to-one assignment.

N predictions   M objects
"""

import numpy as np
import torch
from torch import Tensor


def cheapest_pairs(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Pair predictions with objects so that the sum of the pairs' costs is as small as it can be.

    Args:
        cost: (N, M). What is not finite is chosen last.

    Returns:
        Numbers of predictions, rising, and the object of each; both (min(N, M),) int64 on the CPU.
    """
    most = torch.finfo(cost.dtype).max
    values = torch.nan_to_num(cost.detach(), nan=most, posinf=most, neginf=most).cpu().double().numpy()
    if values.shape[0] <= values.shape[1]:
        chosen = _cheapest_columns(values)
        return torch.arange(len(chosen)), torch.from_numpy(chosen)
    chosen = _cheapest_columns(values.T)
    order = np.argsort(chosen)
    return torch.from_numpy(chosen[order]), torch.from_numpy(order)


def _cheapest_columns(cost: np.ndarray) -> np.ndarray:
    """The column of each row; there are at least as many columns as rows.

    Rows come one after the other, each by the shortest path over columns that are taken to one that is free; prices of
    rows and columns keep all lengths positive. Jonker and Volgenant 1987, in the form of Crouse 2016,
    https://doi.org/10.1109/TAES.2016.140952.
    """
    rows, columns = cost.shape
    row_prices, column_prices = np.zeros(rows), np.zeros(columns)
    column_of, row_of = np.full(rows, -1), np.full(columns, -1)
    for start in range(rows):
        lengths, came_from = np.full(columns, np.inf), np.full(columns, -1)
        reached = np.zeros(columns, bool)
        row, length = start, 0.0
        while True:
            ways = length + cost[row] - row_prices[row] - column_prices
            shorter = ~reached & (ways < lengths)
            lengths[shorter], came_from[shorter] = ways[shorter], row
            column = int(np.where(reached, np.inf, lengths).argmin())
            length = float(lengths[column])
            reached[column] = True
            if row_of[column] < 0:
                break
            row = int(row_of[column])
        row_prices[start] += length
        passed = reached & (row_of >= 0)
        row_prices[row_of[passed]] += length - lengths[passed]
        column_prices[reached] -= length - lengths[reached]
        while True:
            row = int(came_from[column])
            row_of[column] = row
            column_of[row], column = column, int(column_of[row])
            if row == start:
                break
    return column_of
