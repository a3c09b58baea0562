"""Which excitations are searched for, and whose moments count (``hybrid`` in execution.xml)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ceinms_torch.arrays import IndexArray
from ceinms_torch.errors import DataError, did_you_mean
from ceinms_torch.model.execution import Execution, Hybrid
from ceinms_torch.model.subject import Subject


@dataclass(frozen=True, kw_only=True, eq=False)
class ExcitationTargets:
    """MTUs and DOFs of a search for excitations, as indices into the subject's.

    Parameters
    ----------
    adjust : ndarray (n_adjust,)
        MTUs whose recorded excitation is adjusted.
    synth : ndarray (n_synth,)
        MTUs whose excitation is synthesised.
    dofs : ndarray (n_counted,)
        DOFs whose moment errors count.
    """

    adjust: IndexArray
    synth: IndexArray
    dofs: IndexArray

    @classmethod
    def of(cls, subject: Subject, hybrid: Hybrid, dofs: Sequence[str] = ()) -> Self:
        """Look the names of a search up.

        Parameters
        ----------
        subject : Subject
            The model.
        hybrid : Hybrid
            Names of MTUs.
        dofs : sequence of str
            Names of the DOFs that count; all if empty.

        Returns
        -------
        ExcitationTargets

        Raises
        ------
        DataError
            If an MTU is unknown or named twice, or a DOF is.
        """
        mtus = (*hybrid.adjust_mtus, *hybrid.synth_mtus)
        _check_names("adjustMTUs and synthMTUs", "MTU", mtus, subject.mtu_names)
        _check_names("DOFs that count", "DOF", dofs, subject.dof_names)
        return cls(
            adjust=_indices(hybrid.adjust_mtus, subject.mtu_names),
            synth=_indices(hybrid.synth_mtus, subject.mtu_names),
            dofs=_indices(dofs or subject.dof_names, subject.dof_names),
        )

    @property
    def mtus(self) -> IndexArray:
        """All MTUs that are searched, the adjusted ones first."""
        return np.concatenate([self.adjust, self.synth])


def counted_dofs(execution: Execution) -> tuple[str, ...]:
    """Return the DOFs that an execution file names as those that count; empty for all.

    Parameters
    ----------
    execution : Execution
        With a search for excitations: its ``dofSet``, or else its ``elaboratedDoFs``.

    Returns
    -------
    tuple of str
    """
    named = () if execution.hybrid is None else execution.hybrid.dof_set
    return named or execution.elaborated_dofs


def _check_names(where: str, what: str, names: Sequence[str], known: tuple[str, ...]) -> None:
    wrong = [name for name in names if name not in known or names.count(name) > 1]
    if wrong:
        expected = f"each {what} of {', '.join(known)} at most once"
        got = ", ".join(dict.fromkeys(wrong))
        raise DataError(where=where, expected=expected, got=got, hint=did_you_mean(wrong[0], known))


def _indices(names: Sequence[str], known: tuple[str, ...]) -> IndexArray:
    return np.array([known.index(name) for name in names], dtype=np.int64)
