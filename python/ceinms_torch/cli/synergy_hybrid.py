"""What ``calibrate`` and ``run`` do where synergies drive MTUs without a recording."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from rich.markup import escape

from ceinms_torch.cli.display import new_table
from ceinms_torch.errors import OptionError

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.model.calibration import CalibrationPlan
    from ceinms_torch.synergies.result import HybridResult


def with_synergy_hybrid(
    plan: CalibrationPlan, asked_for: bool | None, n_synergy: int | Literal["auto"] | None
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

    Returns
    -------
    CalibrationPlan

    Raises
    ------
    OptionError
        If a number comes with ``--no-hybrid``.
    """
    from ceinms_torch.model.synergy_hybrid import SynergyHybrid  # noqa: PLC0415

    if asked_for is False and n_synergy is not None:
        raise OptionError(
            where="--synergies", expected="no such option with --no-hybrid", got=str(n_synergy)
        )
    if asked_for is False:
        return dataclasses.replace(plan, synergy_hybrid=None)
    if asked_for is None and n_synergy is None:
        return plan
    hybrid = plan.synergy_hybrid or SynergyHybrid()
    if n_synergy is not None:
        hybrid = dataclasses.replace(hybrid, n_synergy=n_synergy)
    return dataclasses.replace(plan, synergy_hybrid=hybrid)


def synergies_line(result: HybridResult) -> str:
    """Return a sentence on what drives which MTUs.

    Parameters
    ----------
    result : HybridResult
        The calibration.

    Returns
    -------
    str
    """
    return f"{result.n_synergy} synergies drive {', '.join(result.synthesised)}."


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
