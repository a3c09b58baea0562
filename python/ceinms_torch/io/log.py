"""What goes on, for those who listen: records of the logger ``ceinms_torch``."""

from __future__ import annotations

import sys
from typing import Literal


def log(level: Literal["debug", "info"], text: str, *values: object) -> None:
    """Tell the logger ``ceinms_torch``.

    There is no handler, and none is needed: below warnings, nobody hears it who did not ask.

    Parameters
    ----------
    level : {"debug", "info"}
        Files that are read and written; or steps of long work.
    text : str
        With places for the values, as `logging` has them.
    *values : object
        What goes there.
    """
    # Who has not loaded it does not listen, and loading it takes longer than many a run.
    logging = sys.modules.get("logging")
    if logging is not None:
        getattr(logging.getLogger("ceinms_torch"), level)(text, *values)
