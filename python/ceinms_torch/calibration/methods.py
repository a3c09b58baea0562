"""Which method calibrates, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from ceinms_torch.errors import OptionError, Place
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.plan.calibration import CalibrationPlan
from ceinms_torch.plan.options import OPTIMISERS, AdamW, Lbfgs, MethodName, Optimiser

Options = Optimiser | SimulatedAnnealing

# The first is what nobody need ask for.
_DEFAULTS: dict[str, Optimiser] = {kind.method: kind() for kind in OPTIMISERS.values()}
# Measured on the lower limb data with 43 MTUs: with the steps of a calibration without synergies
# AdamW ends 11 % above L-BFGS-B, because weightings and primitives, which matter as products only,
# disturb each other. Smaller steps, more of them, come within 0.3 %.
_WITH_SYNERGIES: dict[str, Optimiser] = {
    "lbfgs": Lbfgs(),
    "adamw": AdamW(
        learning_rate=0.01,
        learning_rate_decay=0.9995,
        decay_when="always",
        max_iterations=4000,
        min_improvement=1e-4,
        patience=100,
    ),
}
METHODS: tuple[str, ...] = get_args(MethodName)


def choose_method(
    plan: CalibrationPlan,
    method: str | None = None,
    options: Options | None = None,
    *,
    defaults: Mapping[str, Optimiser] | None = None,
) -> Options:
    """Return the options of a method: those asked for, else the plan's, else defaults.

    Parameters
    ----------
    plan : CalibrationPlan
        What its algorithm element says counts where it belongs to the method.
    method : str, optional
        The method asked for, one of `METHODS`. Where nobody asked for anything but simulated
        annealing, Levenberg-Marquardt; with synergies L-BFGS-B, unless the plan says AdamW.
    options : AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing, optional
        The options asked for.
    defaults : mapping of str to Optimiser, optional
        Methods to choose from, the usual one first; by default those that suit the plan.

    Returns
    -------
    AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing
        Its `method` is the name.

    Raises
    ------
    OptionError
        If there is no such method, the options are another's, or nobody gave the settings of an
        annealing.
    """
    if options is not None:
        if method not in (None, options.method):
            raise OptionError(
                where="options", expected=f"those of {method}", got=f"those of {options.method}"
            )
        return options
    if defaults is None:
        defaults = _DEFAULTS if plan.synergy_hybrid is None else _WITH_SYNERGIES
    if method == SimulatedAnnealing.method and defaults is _DEFAULTS:
        return _annealing(plan)
    if method not in (None, *defaults):
        if plan.synergy_hybrid is not None:
            hint = "primitives are searched, too, too many numbers for other methods"
            raise OptionError(
                where="method",
                expected="lbfgs or adamw with synergies",
                got=repr(method),
                hint=hint,
            )
        raise OptionError(where="method", expected=f"one of {', '.join(METHODS)}", got=repr(method))
    planned = plan.algorithm
    if planned.method in defaults and method in (None, planned.method):
        return planned
    return defaults[method or next(iter(defaults))]


def _annealing(plan: CalibrationPlan) -> SimulatedAnnealing:
    """Return the plan's settings; there are no defaults, as in CEINMS."""
    if not isinstance(plan.algorithm, SimulatedAnnealing):
        expected = "<simulatedAnnealing>, whose settings have no defaults"
        where = Place(plan.path, element="<algorithm>")
        raise OptionError(where=where, expected=expected, got="another algorithm")
    return plan.algorithm
