"""What a check reports: findings with a place, a reason and a cure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ceinms_torch.errors import Place
from ceinms_torch.inputs.dialect import Dialect
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.plain import plain

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class Finding(OneLine):
    """Something in the input that is wrong, doubtful or worth knowing.

    Parameters
    ----------
    severity : {"error", "warning", "note"}
        Whether a result would be impossible or meaningless, may be wrong, or is merely limited.
    code : str
        Short and stable name of the kind of finding.
    where : Place
        Where.
    what : str
        What was found: whole sentences.
    why : str
        Why it matters.
    to_do : str
        What to do about it.
    source : str, optional
        The warning of a reader that it was made of.
    """

    severity: Severity
    code: str
    where: Place = field(default_factory=Place)
    what: str
    why: str
    to_do: str
    source: str | None = field(default=None, repr=False, compare=False)

    def line(self) -> str:
        """Return place, what and cure in one line, as an error message has them."""
        where = str(self.where)
        return " ".join(
            part for part in (f"{where}:" if where else "", self.what, self.to_do) if part
        )


@dataclass(frozen=True, kw_only=True)
class CheckReport(OneLine):
    """All findings about a setup file and what it points at.

    Parameters
    ----------
    setup : Path
        The setup file.
    findings : tuple of Finding
        Most severe first, and among those the most fundamental first.
    dialect : Dialect
        Which versions of CEINMS the files are of.
    """

    setup: Path
    findings: tuple[Finding, ...]
    dialect: Dialect = Dialect()  # noqa: RUF009  frozen

    @classmethod
    def of(
        cls,
        setup: str | os.PathLike[str],
        findings: Iterable[Finding],
        dialect: Dialect = Dialect(),  # noqa: B008  frozen
    ) -> CheckReport:
        """Sort findings by severity.

        Parameters
        ----------
        setup : path-like
            The setup file.
        findings : iterable of Finding
            The most fundamental ones first; repeated ones are left out.
        dialect : Dialect
            Which versions of CEINMS the files are of.

        Returns
        -------
        CheckReport
        """
        unique = dict.fromkeys(findings)
        ranked = sorted(unique, key=lambda finding: SEVERITIES.index(finding.severity))
        return cls(setup=Path(setup), findings=tuple(ranked), dialect=dialect)

    def of_severity(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity, in order."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def reader_warnings(self) -> tuple[str, ...]:
        """Messages of the readers' warnings, be they warnings or notes."""
        sources = (finding.source for finding in self.findings)
        return tuple(source for source in sources if source is not None)

    @property
    def has_errors(self) -> bool:
        """Whether something must be mended before a result can mean anything."""
        return bool(self.of_severity("error"))

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON: setup, dialect, counts by severity, findings."""
        return {
            "setup": self.setup.as_posix(),
            "dialect": str(self.dialect),
            "counts": {severity: len(self.of_severity(severity)) for severity in SEVERITIES},
            "findings": plain(self.findings),
        }


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names as text, a long list cut short.

    Parameters
    ----------
    names : sequence of str
        The names.
    most : int
        How many to spell out.

    Returns
    -------
    str
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
