"""Which calibrated parameters are identifiable, and how well: from the Jacobian at the optimum.

The residuals of a calibration say how far each measured moment is from the model's, their Jacobian
how far a change of a parameter would move it. Together they say which parameters another recording
of the same subject would find again. All of it is linear: it looks at the neighbourhood of the
optimum that was found, and knows nothing of other minima.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.blas import one_blas_thread
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.calibration.spread import Spread, parameter_spread, student_quantile
from ceinms_torch.io.display import OneLine
from ceinms_torch.optimisers.problem import LeastSquares

# A parameter is identifiable when half its 95 % interval is less than this share of its range: half
# of what 95 % of an even spread over the range covers. Coverage hardly depends on it (measured on
# the gait subject, 0.1 to 0.4).
WIDEST = 0.25
# More than this share of a parameter's variance from open directions, and its error rests
# on following those in a straight line, far beyond where the model is one. Between 0.7 and 0.95,
# intervals covered the truth in 69 to 81 %, below 0.5 in 96 % (gait subject with common c1, c2 and
# shape factor, from its start values).
_DOMINATED = 0.5
# A parameter that moves by more than this along a direction without any influence.
_NO_LOADING = 1e-3
# c1 and c2 are apart when their difference is so many half intervals: (c1 - c2)^2, by which they
# act, is then known to a half, and its root is as good as linear.
_APART = 4.0
# With fewer degrees of freedom than this, residuals do not tell how large the noise is.
_FEWEST = 5.0
# A direction is named by the parameters that make up this share of its length squared, but not by
# more than so many.
_NAMED_SHARE = 0.8
_MOST_NAMES = 6

TOO_CLOSE = "c1 and c2 are too close to be told apart"
REPLACEABLE = "others can make up for it"


class LinearisedProblem(LeastSquares, Protocol):
    """What `identifiability` needs of a calibration step, such as `FusedProblem`."""

    @property
    def moment_rows(self) -> tuple[int, ...]:
        """Number of residuals of each (trial, DOF), in the order of the residuals."""


@dataclass(frozen=True, kw_only=True)
class ParameterCertainty(OneLine):
    """What the data say about one calibrated parameter.

    Parameters
    ----------
    name : str
        One of `PARAMETER_KINDS`.
    mtus : tuple of str
        The MTUs that share the value.
    value : float
        The calibrated value, in the parameter's unit.
    standard_error : float or None
        In the parameter's unit; None unless identifiable.
    interval : tuple of float or None
        Where the value lies with 95 %, in the parameter's unit; it may reach beyond the range.
        None unless identifiable.
    share_of_range : float or None
        Half the interval over the range; below `WIDEST`. None unless identifiable.
    reason : str
        Why it is not identifiable; "" if it is.
    """

    name: str
    mtus: tuple[str, ...]
    value: float
    standard_error: float | None
    interval: tuple[float, float] | None
    share_of_range: float | None
    reason: str

    @property
    def identifiable(self) -> bool:
        """Whether the data tell its value."""
        return not self.reason

    @property
    def at_bound(self) -> bool:
        """Whether it is not identifiable because it is at a bound of its range."""
        return self.reason.startswith("at the ")


@dataclass(frozen=True, kw_only=True)
class Loading:
    """The part of one parameter in a direction.

    Parameters
    ----------
    name : str
        One of `PARAMETER_KINDS`.
    mtus : tuple of str
        The MTUs that share the value.
    loading : float
        Component of the unit vector, in shares of the parameter's range.
    """

    name: str
    mtus: tuple[str, ...]
    loading: float


@dataclass(frozen=True, kw_only=True)
class OpenDirection:
    """A combination of parameters that can change without the moments telling.

    Parameters
    ----------
    singular_value : float
        Root of the sum of squared residuals that a unit step (in shares of the ranges) adds.
    loadings : tuple of Loading
        The parameters that dominate it, the largest first.
    """

    singular_value: float
    loadings: tuple[Loading, ...]


@dataclass(frozen=True, kw_only=True)
class Identifiability(OneLine):
    """Which parameters of a calibration step the data identify.

    Parameters
    ----------
    parameters : tuple of ParameterCertainty
        In the order of the step's components.
    singular_values : tuple of float
        Of the moments' Jacobian in the unit box, the largest first.
    directions : tuple of OpenDirection
        Those that the data leave open, the most open first.
    observations : float
        Number of independent moments; successive residuals that correlate count for less.
    """

    parameters: tuple[ParameterCertainty, ...]
    singular_values: tuple[float, ...]
    directions: tuple[OpenDirection, ...]
    observations: float

    @property
    def identifiable(self) -> tuple[ParameterCertainty, ...]:
        """Parameters with a standard error."""
        return tuple(one for one in self.parameters if one.identifiable)

    @property
    def unidentifiable(self) -> tuple[ParameterCertainty, ...]:
        """Parameters that are not identifiable, without those at a bound."""
        return tuple(one for one in self.parameters if not one.identifiable and not one.at_bound)


@one_blas_thread
def identifiability(
    problem: LinearisedProblem, space: ParameterSpace, x: FloatArray
) -> Identifiability:
    """Say which parameters are identifiable, and give standard errors of those alone.

    Parameters
    ----------
    problem : FusedProblem
        The calibration step.
    space : ParameterSpace
        Its parameters.
    x : ndarray (n,)
        Its optimum, in the unit box.

    Returns
    -------
    Identifiability

    Notes
    -----
    Errors and directions come from the Jacobian of the moments alone, see `parameter_spread`: a
    block is a DOF of a trial, penalties and preferences are no data. Intervals take Student's
    quantile.

    A parameter at a bound has no standard error, but the errors of the others do not rely on its
    value: if they did they would be too small (coverage on the gait subject from its start values,
    all else equal: 81 % with values at bounds held fixed, 90 % without).

    Swapping c1 and c2 leaves the model as it is. So the moments depend on c1 - c2 by its square
    only, and nothing linear is true near c1 = c2: a pair counts as identifiable only well apart,
    and then up to the swap.
    """
    residual, jacobian = problem.residuals(x)
    n_row = sum(problem.moment_rows)
    spread = parameter_spread(residual[:n_row], jacobian[:n_row], problem.moment_rows)
    quantile = student_quantile(max(spread.degrees_of_freedom, _FEWEST))
    is_open = _open(spread, quantile)
    half = quantile * spread.errors() * (space.upper - space.lower)
    reasons = _reasons(space, x, spread, is_open, quantile)
    return Identifiability(
        parameters=tuple(
            _certainty(space, i, value, reasons[i], half=float(half[i]), quantile=quantile)
            for i, value in enumerate(space.values(x).tolist())
        ),
        singular_values=tuple(spread.singular_values.tolist()),
        directions=tuple(_direction(space, spread, k) for k in np.flatnonzero(is_open)[::-1]),
        observations=spread.observations,
    )


def _open(spread: Spread, quantile: float) -> BoolArray:
    """Return along which directions a parameter could change by `WIDEST` of its range."""
    reach = [
        quantile * spread.error_along(direction) * np.abs(direction).max()
        for direction in spread.directions
    ]
    return spread.is_null | (np.array(reach) >= WIDEST)


def _reasons(
    space: ParameterSpace,
    x: FloatArray,
    spread: Spread,
    is_open: BoolArray,
    quantile: float,
) -> list[str]:
    """Return for every parameter why it is not identifiable, or ""."""
    null = np.linalg.norm(spread.directions[spread.is_null], axis=0)
    is_vague = quantile * spread.errors() >= WIDEST
    is_vague |= spread.shares(is_open) > _DOMINATED
    is_pair = _inseparable(space, x, spread, quantile)
    # Without an idea of the noise only what has no influence at all is certain.
    is_noise_known = spread.degrees_of_freedom >= _FEWEST
    reasons = []
    for i, bound in enumerate(space.at_bound(x)):
        if bound:
            reason = f"at the {bound} bound"
        elif np.isinf(spread.alone[i]):
            reason = "no influence on the moments"
        elif null[i] > _NO_LOADING:
            reason = TOO_CLOSE if is_pair[i] else REPLACEABLE
        elif not is_noise_known:
            reason = "too few independent observations"
        elif quantile * spread.alone[i] >= WIDEST:
            reason = "too little influence on the moments"
        elif is_pair[i]:
            reason = TOO_CLOSE
        elif is_vague[i]:
            reason = REPLACEABLE
        else:
            reason = ""
        reasons.append(reason)
    return reasons


def _inseparable(
    space: ParameterSpace, x: FloatArray, spread: Spread, quantile: float
) -> BoolArray:
    """Return which components are c1 and c2 of the same MTUs and could be equal."""
    index = {(one.kind, one.mtu_names): i for i, one in enumerate(space.components)}
    values, width = space.values(x), space.upper - space.lower
    result = np.zeros(len(x), dtype=np.bool_)
    for (kind, mtus), i in index.items():
        j = index.get(("c2", mtus))
        if kind != "c1" or j is None:
            continue
        by = np.zeros(len(x))
        by[[i, j]] = width[i], -width[j]
        # The error of (c1 - c2)^2 is 2 |c1 - c2| times that of c1 - c2.
        apart = abs(values[i] - values[j]) > _APART * quantile * spread.error_along(by)
        result[[i, j]] = not apart
    return result


def _certainty(
    space: ParameterSpace, i: int, value: float, reason: str, *, half: float, quantile: float
) -> ParameterCertainty:
    component = space.components[i]
    return ParameterCertainty(
        name=component.kind,
        mtus=component.mtu_names,
        value=value,
        standard_error=None if reason else half / quantile,
        interval=None if reason else (value - half, value + half),
        share_of_range=None if reason else half / (component.upper - component.lower),
        reason=reason,
    )


def _direction(space: ParameterSpace, spread: Spread, k: int) -> OpenDirection:
    direction = spread.directions[k]
    order = np.argsort(-np.abs(direction), kind="stable")
    enough = int(np.searchsorted(np.cumsum(direction[order] ** 2), _NAMED_SHARE)) + 1
    # The sign of a direction means nothing; the largest part is positive.
    sign = 1.0 if direction[order[0]] > 0.0 else -1.0
    return OpenDirection(
        singular_value=float(spread.singular_values[k]),
        loadings=tuple(
            Loading(
                name=space.components[i].kind,
                mtus=space.components[i].mtu_names,
                loading=sign * float(direction[i]),
            )
            for i in order[: min(enough, _MOST_NAMES)].tolist()
        ),
    )
