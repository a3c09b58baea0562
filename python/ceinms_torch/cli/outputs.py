"""Where a command writes, and what it says about that: the same rule for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape

from ceinms_torch.cli.display import note, stdout
from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import check_is_no_folder, check_writable

INTERRUPTED = 130  # what shells report for Ctrl-C


def results_folder(worked_on: Path, out: Path | None, part: str = "") -> Path:
    """Return the folder for the results of a command, having made sure that it can be written to.

    Parameters
    ----------
    worked_on : Path
        The first file that the command was given: results go into NAME_results beside it. Of a
        folder, which is one of results, into that.
    out : Path or None
        The folder asked for instead.
    part : str
        Of the folder beside the file: what is found out about a file has its own folder in that.

    Returns
    -------
    Path

    Raises
    ------
    OptionError
        If it cannot be made or written to.
    """
    beside = worked_on.parent / f"{worked_on.stem}_results" / part
    directory = out or (worked_on if worked_on.is_dir() else beside)
    check_writable(directory)
    return directory


def say_overwriting(*files: Path, inputs: Iterable[Path] = ()) -> None:
    """Say in one line which results of an earlier run are about to be overwritten.

    Parameters
    ----------
    *files : Path
        What the command will write, or what stands for all of it.
    inputs : iterable of Path
        Files that the command reads.

    Raises
    ------
    OptionError
        If one of the files is a folder, or an input.
    """
    for file in files:
        check_is_no_folder(file)
        if file.exists() and any(file.samefile(one) for one in inputs if one.exists()):
            raise OptionError(
                where=os.fspath(file),
                expected="a file to write",
                got="the input",
                hint="choose another --out",
            )
    earlier = ", ".join(str(file) for file in files if file.exists())
    if earlier:
        note(f"earlier results are overwritten: {earlier}")


def say_where(path: Path) -> None:
    """Print the last line of every command that writes: the folder or the one file it wrote."""
    stdout.print(f"results: {escape(str(path))}", soft_wrap=True)
