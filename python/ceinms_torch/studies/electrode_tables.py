"""What the study of electrodes shows: figures by count, differences, and how few are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ceinms_torch.errors import OptionError
from ceinms_torch.studies.electrode_cells import EMG_DRIVEN, HYBRID
from ceinms_torch.studies.electrodes import ElectrodeStudy, Quantity, mean_error, mean_of
from ceinms_torch.studies.result_file import Cell as TableCell
from ceinms_torch.studies.result_file import Table, mean_and_spread

# Ways to drive a test trial, and the method whose subject is driven.
WAYS = {
    "recorded": (EMG_DRIVEN, "EMG-driven"),
    "synthesised": (HYBRID, "synthesised"),
    "refined": (HYBRID, "refined with moments"),
}
# Trials in which synthesised excitations are compared with withheld recordings.
WITHHELD = {
    "calibration": "calibration trials",
    "synthesised": "test",
    "refined": "test, refined",
}


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The smallest set of electrodes that is enough.

    Parameters
    ----------
    margin : float
        How much larger the error may be than with all electrodes, as a share [-].
    electrodes : tuple of str
        The set.
    way : str
        How test trials are driven with it, a key of `WAYS`.
    rmse, all_rmse : float
        Moment RMSE on test trials with it, and the least one with all electrodes [N m].
    """

    margin: float
    electrodes: tuple[str, ...]
    way: str
    rmse: float
    all_rmse: float


def rmse(cell: dict[str, Any]) -> float:
    """Return the moment RMSE of the calibration trials [N m]."""
    return mean_error(cell)


def r2(cell: dict[str, Any]) -> float:
    """Return R² of the moments of the calibration trials [-]."""
    return mean_error(cell, "r2")


def on_tests(way: str, key: str = "rmse") -> Quantity:
    """Return the function that tells how well test trials are predicted."""
    return lambda cell: mean_of(cell["test"].get(way, {}), key)


def withheld(way: str, key: str) -> Quantity:
    """Return the function that compares synthesised with withheld excitations, mean over MTUs."""

    def quantity(cell: dict[str, Any]) -> float:
        known = [one.get(key) for one in cell["withheld"].get(way, {}).values()]
        values = [value for value in known if value is not None]
        return float(np.mean(values)) if values else float("nan")

    return quantity


def distance(study: ElectrodeStudy, *, removed_only: bool = False) -> Quantity:
    """Return the function that tells how far parameters are from those with all electrodes.

    Parameters
    ----------
    study : ElectrodeStudy
        The study; its EMG-driven calibration with all electrodes and the least objective is the
        reference.
    removed_only : bool
        Count the MTUs only that have lost their electrode.

    Returns
    -------
    callable
        Absolute difference, in ranges of the parameters, averaged over parameters and MTUs [-].
    """
    n_all = len(study.electrodes)
    full = [c for c in study.cells if len(c["kept"]) == n_all and c["method"] == EMG_DRIVEN]
    reference = min(full, key=lambda cell: float(cell["objective"]))["parameters"]
    everyone = set(study.recorded[n_all])

    def quantity(cell: dict[str, Any]) -> float:
        names = everyone
        if removed_only:
            names = everyone - set(study.recorded[len(cell["kept"])])
        apart = [
            abs(cell["parameters"][kind][mtu] - value)
            for kind, by_mtu in reference.items()
            for mtu, value in by_mtu.items()
            if mtu in names
        ]
        return float(np.mean(apart)) if apart else float("nan")

    return quantity


def recommend(study: ElectrodeStudy, margin: float) -> Recommendation:
    """Return the smallest set of electrodes that predicts test trials nearly as well as all.

    Parameters
    ----------
    study : ElectrodeStudy
        The study, with test trials.
    margin : float
        How much larger the moment RMSE may be than with all electrodes, as a share [-].

    Returns
    -------
    Recommendation
        Of those sets that the study has: electrodes are removed in one order. Trials are driven
        without their moments, which nobody has when predicting them: by recorded excitations, or by
        those synthesised from them.

    Raises
    ------
    OptionError
        If the study has no test trials.
    """
    table = {
        (count, way): float(np.mean(values))
        for count in study.counts()
        for way, (method, _) in WAYS.items()
        if way != "refined"
        if (values := study.values(count, method, on_tests(way))) and np.isfinite(values).all()
    }
    if not table:
        raise OptionError(where="--recommend", expected="test trials, with --test", got="none")
    n_all = len(study.electrodes)
    best = min(error for (count, _), error in table.items() if count == n_all)
    enough = [(count, error, way) for (count, way), error in table.items()]
    count, error, way = min(one for one in enough if one[1] <= (1.0 + margin) * best)
    return Recommendation(
        margin=margin, electrodes=study.kept(count), way=way, rmse=error, all_rmse=best
    )


# ---- Tables -----------------------------------------------------------------------------


def tables_of(study: ElectrodeStudy) -> tuple[Table, ...]:
    """Return what the study shows.

    Parameters
    ----------
    study : ElectrodeStudy
        The study.

    Returns
    -------
    tuple of Table
        Mean ± standard deviation over seeds, one table per quantity.
    """
    ranking = Table.of(
        "electrodes in order of removal",
        (
            {"removed": name, "moment RMSE without it alone [N m]": error}
            for name, error in study.ranking
        ),
    )
    methods = [
        _of_methods(study, f"{title}, mean ± SD over seeds", quantity)
        for title, quantity in (
            ("moment RMSE of calibration trials [N m]", rmse),
            ("R² of moments of calibration trials [-]", r2),
            ("parameters, distance to all electrodes [ranges]", distance(study)),
            (
                "the same, MTUs that lost their electrode [ranges]",
                distance(study, removed_only=True),
            ),
        )
    ]
    drives = [(label, method, way) for way, (method, label) in WAYS.items()]
    trials = [(label, HYBRID, way) for way, label in WITHHELD.items()]
    compared = [
        _of_ways(study, f"{title}, mean ± SD over seeds", columns)
        for title, columns in (
            (
                "moment RMSE of test trials [N m]",
                [(label, method, on_tests(way)) for label, method, way in drives],
            ),
            (
                "R² of moments of test trials [-]",
                [(label, method, on_tests(way, "r2")) for label, method, way in drives],
            ),
            (
                "synthesised excitations and withheld recordings, RMSE [-]",
                [(label, method, withheld(way, "rmse")) for label, method, way in trials],
            ),
            (
                "synthesised excitations and withheld recordings, correlation [-]",
                [(label, method, withheld(way, "correlation")) for label, method, way in trials],
            ),
        )
    ]
    return (ranking, *methods, *(table for table in compared if table.rows))


def _p(study: ElectrodeStudy, count: int, quantity: Quantity) -> TableCell:
    outcome = study.difference(count, quantity)
    if outcome is None or outcome.p is None:
        return None
    sign = {"t test": "t", "Mann-Whitney U": "U"}[outcome.test]
    return f"{outcome.p:.2g} {sign}{' *' if outcome.is_significant else ''}"


def _of_methods(study: ElectrodeStudy, title: str, quantity: Quantity) -> Table:
    """Compare the two methods at every count."""

    def spread(count: int, method: str) -> TableCell:
        return mean_and_spread(study.values(count, method, quantity))

    return Table.of(
        title,
        (
            {
                "electrodes": count,
                "MTUs recorded": len(study.recorded[count]),
                **{method: spread(count, method) for method in (EMG_DRIVEN, HYBRID)},
                "p": _p(study, count, quantity),
            }
            for count in study.counts()
        ),
    )


def _of_ways(
    study: ElectrodeStudy, title: str, columns: Sequence[tuple[str, str, Quantity]]
) -> Table:
    """Show figures of several kinds of trials at every count that has one."""
    rows: list[dict[str, TableCell]] = [
        {
            "electrodes": count,
            **{
                label: mean_and_spread(study.values(count, method, quantity))
                for label, method, quantity in columns
            },
        }
        for count in study.counts()
    ]
    return Table.of(title, (row for row in rows if any([*row.values()][1:])))


def notes_of(study: ElectrodeStudy, found: Recommendation | None) -> tuple[str, ...]:
    """Return the sentences under the tables.

    Parameters
    ----------
    study : ElectrodeStudy
        The study.
    found : Recommendation or None
        How few electrodes are enough, where that was asked for.

    Returns
    -------
    tuple of str
    """
    searched = (
        "Both are searched by AdamW from the uncalibrated subject, as in the paper, once "
        "EMG-driven, and with every seed of the synergies."
        if study.protocol == "paper"
        else "Both are searched from several starts; the parameters of the latter begin where "
        "EMG-driven ended."
    )
    numbers = sorted({c["n_synergy"] for c in study.cells if c["n_synergy"] is not None})
    notes = [
        (
            "EMG-driven: MTUs without a recording are left out of the model, as in the paper; "
            "their parameters stay where they started. Synergy-hybrid: synergies drive them. "
            f"{searched}"
        ),
        *_conclusion(study),
        f"Synergies: {', '.join(map(str, numbers)) or 'none'}; never more than electrodes.",
        (
            "p, over seeds: two-sided t test if Shapiro and Wilk find both groups normal (t), else "
            "Mann-Whitney U (U); * p < 0.05, not corrected for the number of comparisons; - where "
            "values do not vary."
        ),
    ]
    if found is not None:
        notes.append(
            f"Enough: {len(found.electrodes)} of {len(study.electrodes)} electrodes "
            f"({', '.join(found.electrodes)}), {WAYS[found.way][1]}: moment RMSE on test trials "
            f"{found.rmse:.3g} N m, within {100.0 * found.margin:g} % of {found.all_rmse:.3g} N m "
            "with all. That is about moments: muscles can share them in other ways than recordings "
            "would say, see the correlations above."
        )
    return tuple(notes)


def _conclusion(study: ElectrodeStudy) -> tuple[str, ...]:
    """Say at how many counts the paper's conclusion holds: hybrid is nearer to all electrodes."""
    quantity = distance(study)
    means = [
        [float(np.mean(study.values(count, method, quantity))) for method in (EMG_DRIVEN, HYBRID)]
        for count in study.counts()
        if count < len(study.electrodes)
    ]
    if not means:
        return ()
    nearer = sum(hybrid < emg_driven for emg_driven, hybrid in means)
    verdict = "holds" if 2 * nearer > len(means) else "does not hold"
    sentence = (
        "The paper's conclusion, that synergy-hybrid calibrations end nearer to the parameters "
        f"with all electrodes, {verdict} here: they do at {nearer} of {len(means)} counts."
    )
    return (sentence,)
