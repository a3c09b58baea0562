"""Signs of moments and moment arms of a DOF: which of them the recorded EMG can explain.

The moment of a DOF and its moment arms may each be of either sign; only whether they agree can be
seen. All DOFs are fitted at once with one factor on every MTU, within the range of its strength,
with the moments as they are and with those of single DOFs turned round. Means count: with them left
out, two MTUs whose relative strength is not the generic one look like a wrong sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.among import turned_arms, turned_finding, turned_moments
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.inputs.checks.reach import Reach
from ceinms_torch.model.trial import Trial

# The other sign fits clearly, and this one does not: R² of at least the first where this one has
# less than the second, and an error of at most the third, as a share of that of this sign.
_FITS, _DOES_NOT, _MUCH_LESS = 0.3, 0.5, 0.7
# R² that the sum over all DOFs has to gain by a turn.
_LEAST_GAIN = 0.25
# Of at most so many trials, each may be turned alone; more say themselves which one is (`among`).
_FEW_TRIALS = 4
# A DOF counts as if its moment changed by at least this share of that of the largest.
_LEAST_SPREAD = 0.2
# MTUs whose moment is less than this share of the measured one are left out.
_NEGLIGIBLE = 0.01
# The fit goes on until no factor changes by more than this (-), or for so many rounds.
_SMALL_CHANGE, _MOST_ROUNDS = 2e-3, 150


@dataclass(frozen=True, kw_only=True)
class SignFit:
    """How well the moment of a DOF can be fitted with either sign.

    Parameters
    ----------
    dof : int
        Its position.
    trials : tuple of str
        Trials whose sign is meant: all of them, or single ones.
    as_it_is, turned : float
        R² over all trials, mean included; the other DOFs have the signs that fit best.
    is_better : bool
        Whether the sum of R² over all DOFs gains by the turn.
    """

    dof: int
    trials: tuple[str, ...]
    as_it_is: float
    turned: float
    is_better: bool

    @property
    def is_wrong(self) -> bool:
        """Whether the other sign fits clearly and this one does not."""
        return (
            self.is_better
            and self.turned >= _FITS
            and self.as_it_is < _DOES_NOT
            and 1.0 - self.turned <= _MUCH_LESS * (1.0 - self.as_it_is)
        )


def check_signs(
    reach: Reach, trials: Sequence[Trial], dofs: Sequence[int]
) -> dict[int, list[Finding]]:
    """Find wrong signs: those of one trial against the others, then those that EMG contradicts.

    Parameters
    ----------
    reach : Reach
        What the MTUs make.
    trials : sequence of Trial
        The trials it was made of.
    dofs : sequence of int
        Positions of the DOFs that count; their moments are not next to nothing.

    Returns
    -------
    dict of int to list of Finding
        By position of the DOF.
    """
    turned = [("moment arms", one) for one in turned_arms(trials)]
    turned += [("measured moments", one) for one in turned_moments(trials, dofs)]
    odd = {name for _, one in turned if one.is_known for name in one.trials}
    wrong = [fit for fit in sign_fits(reach.without(odd), dofs) if fit.is_wrong]
    found: dict[int, list[Finding]] = {}
    for what, one in turned:
        said = any(fit.dof == one.dof and set(fit.trials) < set(one.trials) for fit in wrong)
        if one.is_known or not said:  # EMG says which of them it is
            found.setdefault(one.dof, []).append(turned_finding(trials, one, what))
    for fit in wrong:
        found.setdefault(fit.dof, []).append(_finding(reach, trials, fit))
    return found


def _finding(reach: Reach, trials: Sequence[Trial], fit: SignFit) -> Finding:
    dof = trials[0].dof_names[fit.dof]
    concerned = [trial for trial in trials if trial.name in fit.trials]
    low, high = reach.strength[0].min(), reach.strength[1].max()
    where = "" if len(concerned) == len(trials) else f" in {listed(fit.trials)}"
    return Finding(
        severity="warning",
        code="moment-sign",
        where=Place(file=concerned[0].sources.torques.path, column=dof, trial=listed(fit.trials)),
        what=f"The measured moment of {dof}{where} has the other sign than EMG and moment arms can "
        f"explain: R² {fit.as_it_is:.2f} as it is, {fit.turned:.2f} with the other sign, each MTU "
        f"{low:.3g} to {high:.3g} times as strong.",
        why="With moments or moment arms of the wrong sign, the wrong muscles are made strong.",
        to_do="Compare the sign convention of moments and moment arms of this DOF: a positive "
        "moment must come from MTUs with positive moment arms.",
    )


def sign_fits(reach: Reach, dofs: Sequence[int]) -> tuple[SignFit, ...]:
    """Fit the moments of DOFs with both signs of each.

    Parameters
    ----------
    reach : Reach
        What the MTUs make, and the measured moments.
    dofs : sequence of int
        Positions of the DOFs that count; their moments are not constant.

    Returns
    -------
    tuple of SignFit
        One for each DOF: with all its moments turned or, if that fits better, those of some trials.
    """
    if not dofs or not reach.trials or not len(reach.forces[0]):
        return ()
    problem = _Problem.of(reach, dofs)
    shape = (len(reach.trials), len(dofs))
    turns = [_turn(shape, slice(None), i) for i in range(shape[1])]
    if 1 < shape[0] <= _FEW_TRIALS:
        turns += [_turn(shape, t, i) for t in range(shape[0]) for i in range(shape[1])]
    signs = np.ones(shape)
    for _ in range(shape[1] + 1):
        total, _ = problem.solve(np.stack([signs, *(signs * turn for turn in turns)]))
        best = int(np.argmax(total[1:]))
        if total[1 + best] - total[0] < _LEAST_GAIN:
            break
        signs = signs * turns[best]
    is_turned: list[bool] = np.any(signs < 0.0, axis=0).tolist()
    others = [
        _turn(shape, signs[:, i] < 0.0 if turned else slice(None), i)
        for i, turned in enumerate(is_turned)
    ]
    _, r2 = problem.solve(np.stack([signs, *(signs * other for other in others)]))
    names = [trial.name for trial in reach.trials]
    return tuple(
        SignFit(
            dof=dof,
            trials=tuple(name for name, sign in zip(names, other[:, i], strict=True) if sign < 0.0),
            as_it_is=float(r2[1 + i, i] if turned else r2[0, i]),
            turned=float(r2[0, i] if turned else r2[1 + i, i]),
            is_better=turned,
        )
        for i, (dof, other, turned) in enumerate(zip(dofs, others, is_turned, strict=True))
    )


def _turn(shape: tuple[int, int], trials: Any, dof: int) -> FloatArray:
    signs = np.ones(shape)
    signs[trials, dof] = -1.0
    return signs


@dataclass(frozen=True, kw_only=True, eq=False)
class _Problem:
    """Sums of squares: s' G s / 2 - c' s for each DOF, over all its rows.

    Parameters
    ----------
    square : ndarray (n_dof, n_guess, n_mtu, n_mtu)
    mixed : ndarray (n_trial, n_dof, n_guess, n_mtu)
    power, spread : ndarray (n_dof,)
        Of the measured moments: about zero, about their mean.
    low, high : ndarray (n_mtu,)
        Bounds of the factors.
    """

    square: FloatArray
    mixed: FloatArray
    power: FloatArray
    spread: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, reach: Reach, dofs: Sequence[int]) -> _Problem:
        square, mixed, measured = [], [], []
        for dof in dofs:
            moments = reach.measured(dof)
            across = np.concatenate(reach.moments(dof), axis=1).transpose(0, 2, 1)
            square.append(across @ across.transpose(0, 2, 1))
            starts = np.cumsum([len(one) for one in moments])[:-1]
            parts = zip(np.split(across, starts, axis=2), moments, strict=True)
            mixed.append([part @ own for part, own in parts])
            measured.append(np.concatenate(moments))
        power = np.array([moment @ moment for moment in measured])
        every, low, high = np.stack(square), *reach.strength
        size = high**2 * every.diagonal(axis1=2, axis2=3).max(axis=1) / power[:, np.newaxis]
        acting = size.max(axis=0) > _NEGLIGIBLE**2
        return cls(
            square=every[:, :, acting][:, :, :, acting],
            mixed=np.stack(mixed, axis=1)[..., acting],
            power=power,
            spread=np.array([np.sum((moment - moment.mean()) ** 2) for moment in measured]),
            low=low[acting],
            high=high[acting],
        )

    def solve(self, signs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Fit all DOFs at once.

        Parameters
        ----------
        signs : ndarray (n_case, n_trial, n_dof)
            Of the measured moments.

        Returns
        -------
        total : ndarray (n_case,)
            Weighted sum of R², at the best guess.
        r2 : ndarray (n_case, n_dof)
            R² there.
        """
        weight = 1.0 / np.maximum(self.spread, _LEAST_SPREAD**2 * self.spread.max())
        square = np.einsum("d,dgij->gij", weight, self.square)
        mixed = np.einsum("ctd,tdgi->cdgi", signs, self.mixed)
        scale = _bounded(square, np.einsum("d,cdgi->cgi", weight, mixed), self.low, self.high)
        fitted = np.einsum("cgi,dgij,cgj->cgd", scale, self.square, scale, optimize=True)
        along = np.einsum("cdgi,cgi->cgd", mixed, scale)
        error = self.power - 2.0 * along + fitted
        total = ((self.spread - error) * weight).sum(axis=2)
        guess = np.argmax(total, axis=1)
        case = np.arange(len(signs))
        return total[case, guess], 1.0 - error[case, guess] / self.spread


def _bounded(
    square: FloatArray, mixed: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    """Minimise s' G s / 2 - c' s within bounds, one component after the other.

    Parameters
    ----------
    square : ndarray (n_guess, n, n)
    mixed : ndarray (n_case, n_guess, n)
    low, high : ndarray (n,)

    Returns
    -------
    ndarray (n_case, n_guess, n)
    """
    scale = np.broadcast_to(np.clip(1.0, low, high), mixed.shape).copy()
    slope = np.einsum("gij,cgj->cgi", square, scale) - mixed
    diagonal = np.maximum(square.diagonal(axis1=1, axis2=2), 1e-12 * max(square.max(), 1e-300))
    for _ in range(_MOST_ROUNDS):
        largest = 0.0
        for i in range(len(low)):
            step = np.clip(scale[..., i] - slope[..., i] / diagonal[:, i], low[i], high[i])
            step -= scale[..., i]
            scale[..., i] += step
            slope += square[:, :, i] * step[..., np.newaxis]
            largest = max(largest, float(np.abs(step).max()))
        if largest < _SMALL_CHANGE:
            break
    return scale
