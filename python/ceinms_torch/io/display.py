"""How objects show themselves: in one line, as a table of a notebook, as a data frame."""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

_LONGEST = 60  # letters of a value that is shown as it is
_MOST_ROWS = 40  # of a table in a notebook


class OneLine:
    """A dataclass that shows itself as one line: what is long is counted, not shown."""

    def __init_subclass__(cls) -> None:
        """Set what a dataclass leaves as it is, as if the class itself had it."""
        super().__init_subclass__()
        cls.__repr__ = _one_line  # type: ignore[method-assign]


def _one_line(self: Any) -> str:
    shown = (f"{one.name}={_brief(getattr(self, one.name))}" for one in fields(self) if one.repr)
    return f"{type(self).__name__}({', '.join(shown)})"


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<array {value.shape}>"
    if isinstance(value, Path):
        return f"'.../{value.name}'"
    if is_dataclass(value) or not isinstance(value, (Sequence, Mapping, set, frozenset)):
        text = repr(value)
        return text if len(text) <= _LONGEST else f"<{type(value).__name__}>"
    if isinstance(value, str) or len(value) <= 3:
        text = repr(value)
        if len(text) <= _LONGEST:
            return text
    return f"<{len(value)} {'letters' if isinstance(value, str) else 'items'}>"


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a small table for a notebook; every text is escaped.

    Parameters
    ----------
    caption : str
        Above the table.
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence
        Cells; numbers are written with four digits. Rows beyond the fortieth are counted.

    Returns
    -------
    str
    """

    def line(cells: Sequence[object], tag: str) -> str:
        texts = (f"{one:.4g}" if isinstance(one, float) else str(one) for one in cells)
        return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"

    lines = [line(row, "td") for row in rows]
    if len(lines) > _MOST_ROWS:
        rest = f"... and {len(lines) - _MOST_ROWS} more"
        lines[_MOST_ROWS:] = [f'<tr><td colspan="{len(header)}">{rest}</td></tr>']
    head = f"<caption>{html.escape(caption)}</caption><thead>{line(header, 'th')}</thead>"
    return f"<table>{head}<tbody>{''.join(lines)}</tbody></table>"


def optional(package: str) -> Any:
    """Import a package that nothing but tables of that kind needs.

    Parameters
    ----------
    package : str
        Its name, for ``import`` and for ``pip install``.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        text = f"{package}: expected to be installed, got no such package. pip install {package}."
        raise ImportError(text) from error
