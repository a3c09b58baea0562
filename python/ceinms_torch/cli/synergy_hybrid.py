"""What ``calibrate`` and ``run`` do where synergies drive MTUs without a recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from rich.markup import escape

from ceinms_torch.errors import OptionError
from ceinms_torch.terminal.display import new_table
from ceinms_torch.terminal.options import given, stated_ties, synthesised_names

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.calibration.result import CalibrationResult
    from ceinms_torch.model.excitation_generator import ExcitationGenerator
    from ceinms_torch.plan.calibration import CalibrationPlan
    from ceinms_torch.plan.synergy_hybrid import SynergyHybrid
    from ceinms_torch.synergies.result import HybridResult


def with_synergy_hybrid(
    plan: CalibrationPlan,
    asked_for: bool | None,
    n_synergy: int | Literal["auto"] | None,
    synthesise: str | None = None,
    ties: str | None = None,
) -> CalibrationPlan:
    """Return the plan with or without synergies, as the options ask for.

    Parameters
    ----------
    plan : CalibrationPlan
        What the file says.
    asked_for : bool or None
        ``--hybrid`` or ``--no-hybrid``; None for what the file says.
    n_synergy : int or "auto" or None
        ``--synergies``.
    synthesise : str or None
        ``--synthesise``.
    ties : str or None
        ``--ties``.

    Returns
    -------
    CalibrationPlan

    Raises
    ------
    OptionError
        If one of the last three comes with ``--no-hybrid``, or names nothing.
    """
    from ceinms_torch.plan.synergy_hybrid import SynergyHybrid  # noqa: PLC0415

    asked = given(**{"--synergies": n_synergy, "--synthesise": synthesise, "--ties": ties})
    if asked_for is False:
        for name, value in asked.items():
            expected = "no such option with --no-hybrid"
            raise OptionError(where=name, expected=expected, got=str(value))
        return dataclasses.replace(plan, synergy_hybrid=None)
    if asked_for is None and not asked:
        return plan
    hybrid = plan.synergy_hybrid or SynergyHybrid()
    if n_synergy is not None:
        hybrid = dataclasses.replace(hybrid, n_synergy=n_synergy)
    if synthesise is not None:
        hybrid = dataclasses.replace(hybrid, synthesise=synthesised_names(synthesise))
    if ties is not None:
        hybrid = dataclasses.replace(hybrid, ties=stated_ties(ties))
    return dataclasses.replace(plan, synergy_hybrid=hybrid)


def n_searches(starts: int | None, synergy_hybrid: SynergyHybrid | None) -> int | None:
    """Return how many searches there are, at most: every start from every place it begins at.

    None where neither starts nor synergies say it.
    """
    if synergy_hybrid is None or synergy_hybrid.begin == "subject":
        return starts
    n_recorded = 1 if synergy_hybrid.ties == "none" else 2
    return (starts or 1) * (n_recorded + (synergy_hybrid.begin == "both"))


def undriven_notes(result: CalibrationResult, generator: ExcitationGenerator) -> Iterator[str]:
    """Say which MTUs nothing drives: those whose passive force counts, and those left alone.

    Parameters
    ----------
    result : CalibrationResult
        The calibration, with synergies or not.
    generator : ExcitationGenerator
        Which MTUs were recorded.

    Yields
    ------
    str
    """
    from ceinms_torch.synergies.result import HybridResult  # noqa: PLC0415

    subject = result.subject
    is_hybrid = isinstance(result, HybridResult)
    made = result.synthesised if isinstance(result, HybridResult) else ()
    recorded = zip(subject.mtu_names, generator.recorded(subject.mtu_names), strict=True)
    undriven = [name for name, is_one in recorded if not is_one and name not in made]
    acting = subject.mtus_on(dof for step in result.steps for dof in step.step.dofs)
    kept = ", ".join(name for name in undriven if name in acting)
    idle = ", ".join(name for name in undriven if name not in acting)
    if kept and is_hybrid:
        yield f"neither electrode nor synergy drives {kept}: kept, with passive force only"
    elif kept:
        yield (
            f"no electrode drives {kept}: kept, with passive force only; --hybrid lets synergies "
            "drive what has no electrode"
        )
    if idle and is_hybrid:
        yield f"left undriven, as they act on no DOF of the calibration: {idle}"


def hybrid_notes(result: CalibrationResult) -> Iterator[str]:
    """Say what synthesised excitations are held to, and which DOFs nobody calibrated they load.

    Parameters
    ----------
    result : CalibrationResult
        The calibration, with synergies or not.

    Yields
    ------
    str
    """
    from ceinms_torch.report.summary import uncalibrated_points  # noqa: PLC0415
    from ceinms_torch.synergies.result import HybridResult  # noqa: PLC0415

    if not isinstance(result, HybridResult):
        return
    for tie in result.ties:
        why = "" if tie.likeness is None else f" (moment arms alike by {tie.likeness:.2f})"
        yield f"{tie.mtu} is held to the recording of {', '.join(tie.to)}{why}, softly"
    free = [name for name in result.synthesised if name not in {tie.mtu for tie in result.ties}]
    if free:
        yield f"nothing but moments and synergies tells the excitation of {', '.join(free)}"
    for point in uncalibrated_points(result):
        yield point.text


def synergies_line(result: HybridResult) -> str:
    """Return sentences on what drives which MTUs, and whether that helps.

    Parameters
    ----------
    result : HybridResult
        The calibration.

    Returns
    -------
    str
    """
    from ceinms_torch.synergies.result import mean_rmse  # noqa: PLC0415

    number = result.n_synergy
    verb = "synergy drives" if number == 1 else "synergies drive"
    line = f"{number} {verb} {', '.join(result.synthesised)}."
    for kind, driven, fit in (
        ("calibration", result.emg_driven_fit, result.fit),
        ("test", result.emg_driven_test_fit, result.test_fit),
    ):
        if driven:
            line += (
                f" Mean RMSE of {kind} trials: {mean_rmse(fit):.2f} N m, EMG-driven "
                f"{mean_rmse(driven):.2f} N m."
            )
    return line


def synergies_table(result: HybridResult) -> Table:
    """Return a table of how well synergies reconstruct the recordings, and how strong they are.

    Parameters
    ----------
    result : HybridResult
        The calibration.

    Returns
    -------
    rich.table.Table
    """
    numbers = ("VAF of the\nrecordings", "mean synthesised\nexcitation [-]")
    table = new_table("synergies", ("trial",), numbers)
    for name, one in (*result.synergies.items(), *result.test_synergies.items()):
        columns = [one.excitations.columns.index(mtu) for mtu in result.synthesised]
        mean = one.excitations.array[:, columns].mean()
        table.add_row(escape(name), f"{100.0 * one.vaf:.1f} %", f"{mean:.3f}")
    return table
