"""What became of a row of a study, on disk beside its results: published once, found again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain, revived

OUTCOME_FILE = "outcome.json"
# A folder of results that is not complete yet, beside its place.
_WORKING = ".{}.{}.working"
FORMAT = 1

Kind = Literal["calibration", "run", ""]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one row.

    Parameters
    ----------
    status : {"done", "failed"}
        Whether there are results.
    message : str
        Why it failed.
    kind : {"calibration", "run", ""}
        What it is by its setup file; "" if that could not be read.
    key : str
        Digest of what was asked for; of another one the results are out of date.
    inputs : mapping of str to str
        SHA-256 of every file that was read, by its path; "" for one that was not there.
    files : mapping of str to str
        SHA-256 of every file of the results, by its name in their folder.
    seconds : float
        How long it took [s].
    objective : float or None
        Of a calibration.
    warnings : tuple of str
        What is doubtful.
    traceback : str
        Of a fault that nobody has foreseen.
    """

    status: Literal["done", "failed"]
    message: str = ""
    kind: Kind = ""
    key: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    objective: float | None = None
    warnings: tuple[str, ...] = ()
    traceback: str = ""

    @property
    def is_done(self) -> bool:
        """Whether there are results."""
        return self.status == "done"


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file, or "" where there is none that can be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def digests_of(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by their absolute paths."""
    return {str(file): digest_of(file) for file in dict.fromkeys(map(Path.absolute, files))}


def key_of(*parts: object) -> str:
    """Return a digest of what a result depends on, besides its input files."""
    text = json.dumps(plain([FORMAT, *parts]), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_outcome(folder: Path) -> Outcome | None:
    """Return what became of a row, or None if nothing is known that can be relied on.

    Parameters
    ----------
    folder : Path
        Folder of its results.

    Returns
    -------
    Outcome or None
    """
    try:
        content: dict[str, Any] = json.loads((folder / OUTCOME_FILE).read_text(encoding="utf-8"))
        outcome: Outcome = revived(Outcome, content)
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return None
    return outcome


def known_outcome(folder: Path, key: str) -> Outcome | None:
    """Return what became of a row if nothing has changed since: request, input and results.

    Parameters
    ----------
    folder : Path
        Folder of its results.
    key : str
        Digest of what is asked for.

    Returns
    -------
    Outcome or None
        None also if a file of the results is not the one that was written.
    """
    outcome = read_outcome(folder)
    if outcome is None or outcome.key != key:
        return None
    input_files = ((Path(name), digest) for name, digest in outcome.inputs.items())
    files = ((folder / name, digest) for name, digest in outcome.files.items())
    is_same = all(digest_of(file) == digest for one in (input_files, files) for file, digest in one)
    return outcome if is_same else None


@contextlib.contextmanager
def working_folder(target: Path) -> Iterator[Path]:
    """Make a folder for results that are being computed; what is left of it goes at the end.

    It is beside their place, so that they get there in one step and names of files in them that are
    relative stay true.

    Parameters
    ----------
    target : Path
        Where the results belong.

    Yields
    ------
    Path
    """
    folder = target.with_name(_WORKING.format(target.name[:180], os.urandom(6).hex()))
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(outcome: Outcome, folder: Path, target: Path) -> Outcome:
    """Put results where they belong, in one step: a reader finds all of them or none.

    Parameters
    ----------
    outcome : Outcome
        What came out, but for `files`.
    folder : Path
        The working folder with the results.
    target : Path
        Where they belong. Out of date ones are replaced.

    Returns
    -------
    Outcome
        What is there now. If another worker has published the same meanwhile, that stays.
    """
    names = (file for file in sorted(folder.rglob("*")) if file.is_file())
    files = {file.relative_to(folder).as_posix(): digest_of(file) for file in names}
    content = {**asdict(outcome), "files": files}
    text = json.dumps(plain(content), indent=2, allow_nan=False)
    write_atomically(folder / OUTCOME_FILE, f"{text}\n".encode())
    for _ in range(3):
        try:
            folder.rename(target)
        except OSError:
            there = known_outcome(target, outcome.key)
            if there is not None and there.status == outcome.status:
                return there
            aside = folder.with_name(f"{folder.name}-old")
            with contextlib.suppress(FileNotFoundError):
                target.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            return revived(Outcome, content)  # type: ignore[no-any-return]
    folder.rename(target)  # says why it cannot
    return outcome


def remove_working_folders(directory: Path) -> None:
    """Remove what workers that died have left behind.

    Parameters
    ----------
    directory : Path
        Folder of the study's results.
    """
    base = directory / "subjects"
    for pattern in (".*.working*", "*/.*.working*"):
        for left in base.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)
