"""Which method calibrates, and with which options."""

from __future__ import annotations

from typing import Literal

from ceinms_torch.calibration.annealing import annealing_settings
from ceinms_torch.errors import OptionError
from ceinms_torch.model.calibration import CalibrationPlan
from ceinms_torch.model.nms_model import SimulatedAnnealing
from ceinms_torch.model.objective import Objective
from ceinms_torch.model.options import AdamW, Lbfgs, LevenbergMarquardt, Optimiser

MethodName = Literal["lm", "adamw", "lbfgs", "annealing"]

METHODS: dict[str, type[AdamW | LevenbergMarquardt | Lbfgs | SimulatedAnnealing]] = {
    "lm": LevenbergMarquardt,
    "adamw": AdamW,
    "lbfgs": Lbfgs,
    "annealing": SimulatedAnnealing,
}


def choose_method(
    plan: CalibrationPlan,
    method: str | None = None,
    options: Optimiser | SimulatedAnnealing | None = None,
) -> tuple[str, Optimiser | SimulatedAnnealing]:
    """Return the method and its options: those asked for, else the plan's, else defaults.

    Parameters
    ----------
    plan : CalibrationPlan
        What its algorithm element says counts where it belongs to the method.
    method : {"lm", "adamw", "lbfgs", "annealing"}, optional
        The method asked for.
    options : AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing, optional
        The options asked for.

    Returns
    -------
    name : {"lm", "adamw", "lbfgs", "annealing"}
        Levenberg-Marquardt where nobody asked for anything but simulated annealing.
    options : AdamW, LevenbergMarquardt, Lbfgs or SimulatedAnnealing

    Raises
    ------
    OptionError
        If there is no such method, the options are another's, or nobody gave the settings of an
        annealing.
    """
    planned = None if isinstance(plan.algorithm, SimulatedAnnealing) else plan.algorithm
    if options is None and method is None:
        options = LevenbergMarquardt() if planned is None else planned
    elif options is None and method == "annealing":
        options = annealing_settings(plan)
    elif options is None:
        kind = METHODS.get(method) if method is not None else None
        if kind is None or issubclass(kind, SimulatedAnnealing):
            raise OptionError(
                where="method", expected=f"one of {', '.join(METHODS)}", got=repr(method)
            )
        options = planned if isinstance(planned, kind) else kind()
    name = next(name for name, kind in METHODS.items() if isinstance(options, kind))
    if method not in (None, name):
        raise OptionError(where="options", expected=f"those of {method}", got=f"those of {name}")
    return name, options


def refuse_for_annealing(
    options: SimulatedAnnealing,
    *,
    objective: Objective | None,
    engine: str,
    device: str | None,
    polish: bool,
    start: str,
    starts: int,
    seed: int,
) -> None:
    """Refuse what the annealing of CEINMS cannot do, rather than ignore it.

    Parameters
    ----------
    options : SimulatedAnnealing
        Its settings; the modern variant has a seed.
    objective, engine, device, polish, start, starts, seed
        As for `calibrate`.

    Raises
    ------
    OptionError
        At the first that is not the default.
    """
    asked_for = {
        "objective": objective is not None,
        "engine": engine != "fused",
        "device": device not in (None, "cpu"),
        "polish": polish,
        "start": start != "subject",
        "starts": starts != 1,
        "seed": seed != 0 and options.variant == "ceinms",
    }
    for name, is_asked_for in asked_for.items():
        if is_asked_for:
            hint = (
                "the annealing repeats what CEINMS does, on its model, objective and random numbers"
            )
            if name == "seed":
                hint += "; set its variant to modern for numbers by a seed"
            raise OptionError(
                where=name, expected="the default, with annealing", got="another value", hint=hint
            )
