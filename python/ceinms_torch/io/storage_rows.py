"""Rows of a storage file as text, with as few digits as read back as the same numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray

_BLOCK = 1 << 16  # numbers
# Decimals with so many digits are all different as numbers, and print as what they are.
_DIGITS = 15


def rows_of_text(time: FloatArray, values: FloatArray) -> Iterator[bytes]:
    """Iterate over blocks of rows: times and values with tabs between.

    Parameters
    ----------
    time : ndarray (n_row,)
        The first column.
    values : ndarray (n_row, n_column)
        The others.

    Yields
    ------
    bytes
    """
    n_row = max(_BLOCK // (values.shape[1] + 1), 1)
    for first in range(0, len(time), n_row):
        part = slice(first, first + n_row)
        table = np.column_stack((time[part], values[part]))
        row = "\t".join(_formats(table)) + "\n"
        text = row * len(table) % tuple(table.ravel().tolist())
        yield text.encode()


def _formats(table: FloatArray) -> list[str]:
    """Return how the numbers of each column print, so that each is the shortest text of its number.

    To find that takes twice as long as to print a given number of digits, which is known where a
    column has decimals, such as 0.125. Whole numbers are left alone, which Python prints as 1.0.
    """
    n_digit = np.zeros(table.shape[1], dtype=np.int64)
    waiting = np.flatnonzero((np.rint(table) != table).all(axis=0))
    before = np.searchsorted(10.0 ** np.arange(_DIGITS), np.abs(table).max(axis=0), side="right")
    for decimals in range(1, _DIGITS):
        # A few rows tell those that may have so many decimals.
        likely = waiting[_are_decimals(table[:8, waiting], decimals)]
        found = likely[_are_decimals(table[:, likely], decimals)]
        n_digit[found] = np.minimum(before[found] + decimals, _DIGITS)
        waiting = np.setdiff1d(waiting, found)
        if waiting.size == 0:
            break
    return [f"%.{n}g" if n else "%r" for n in n_digit.tolist()]


def _are_decimals(table: FloatArray, decimals: int) -> BoolArray:
    """Tell for each column whether all numbers are the nearest to one with so many decimals."""
    scale = 10.0**decimals
    with np.errstate(over="ignore"):  # of what is too large
        whole = np.rint(table * scale)
    # Both are exact, so that their quotient is the number nearest to the decimal.
    nearest = (whole / scale == table) & (np.abs(whole) < 10.0**_DIGITS)
    return np.asarray(nearest.all(axis=0))
