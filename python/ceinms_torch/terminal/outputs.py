"""Where a command writes, and what it says about that: the same rule for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape

from ceinms_torch.io.paths import check_is_no_folder, check_overwrites_none, check_writable, kind_of
from ceinms_torch.terminal.claims import CLAIMS
from ceinms_torch.terminal.display import note, stdout


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
    from ceinms_torch.inputs.outputs import results_beside  # noqa: PLC0415  keeps --help fast

    is_folder = kind_of(worked_on) == "folder"
    directory = out or (worked_on if is_folder else results_beside(worked_on, part))
    check_writable(directory)
    return directory


def claim(directory: Path) -> None:
    """Keep other commands from writing into a folder until this one ends.

    Parameters
    ----------
    directory : Path
        The folder.

    Raises
    ------
    OptionError
        If another process is writing into it.
    """
    from ceinms_torch.io.results import claimed  # noqa: PLC0415  keeps --help fast

    CLAIMS.enter_context(claimed(directory))


def say_overwriting(*files: Path, inputs: Iterable[Path] = (), others: Iterable[Path] = ()) -> None:
    """Say in one line which results of an earlier run are about to be overwritten.

    Parameters
    ----------
    *files : Path
        What the command will write, or what stands for all of it.
    inputs : iterable of Path
        Files that the command reads.
    others : iterable of Path
        What else it will write, of which nothing is said.

    Raises
    ------
    OptionError
        If one of the files is a folder, or an input.
    """
    for file in files:
        check_is_no_folder(file)
    check_overwrites_none([*files, *others], inputs, "choose another --out")
    earlier = ", ".join(str(file) for file in files if kind_of(file) != "nothing")
    if earlier:
        note(f"earlier results are overwritten: {earlier}")


def say_where(path: Path) -> None:
    """Print the last line of every command that writes: the folder or the one file it wrote."""
    stdout.print(f"results: {escape(str(path))}", soft_wrap=True)
