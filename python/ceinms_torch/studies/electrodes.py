"""How few electrodes are enough: the protocol of the paper, section III-D, for any subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ceinms_torch.blas import one_blas_thread
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.studies.cells import CellRunner, Progress
from ceinms_torch.studies.electrode_cells import EMG_DRIVEN, HYBRID, Cell, Protocol
from ceinms_torch.studies.statistics import GroupComparison, compare_groups
from ceinms_torch.synergies.electrodes import with_electrodes
from ceinms_torch.synergies.recording import recorded_channels

Quantity = Callable[[dict[str, Any]], float]  # of a calibration


@dataclass(frozen=True, kw_only=True)
class ElectrodeOptions:
    """What the study does.

    Parameters
    ----------
    counts : tuple of int or None
        Numbers of electrodes to keep; None for all from all of them down to one.
    protocol : {"multi-start", "paper"}
        How calibrations are searched, see `study_electrodes`.
    seeds : tuple of int
        Repetitions.
    starts : int
        Starts of every calibration, the best is kept; 1 with the paper's protocol.
    n_synergy : int or "auto"
        Most synergies; fewer where fewer electrodes are left.
    jobs : int
        Processes side by side; results do not depend on it.
    """

    counts: tuple[int, ...] | None = None
    protocol: Protocol = "multi-start"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    starts: int = 8
    n_synergy: int | Literal["auto"] = 4
    jobs: int = 1

    def __post_init__(self) -> None:
        """Refuse starts that the paper's protocol does not have."""
        if self.protocol == "paper" and self.starts != 1:
            hint = "both calibrations begin at the uncalibrated subject"
            raise OptionError(
                where="starts",
                expected="1, with the paper's protocol",
                got=str(self.starts),
                hint=hint,
            )

    def seeds_of(self, method: str) -> tuple[int, ...]:
        """Return the repetitions of a method: without random numbers, one is as good as all."""
        is_alike = self.protocol == "paper" and method == EMG_DRIVEN
        return self.seeds[:1] if is_alike else self.seeds


@dataclass(frozen=True, kw_only=True)
class ElectrodeStudy:
    """What the study found.

    Parameters
    ----------
    electrodes : tuple of str
        All of them, in the order in which they are removed.
    ranking : tuple of (str, float)
        Moment RMSE [N m] without each electrode, mean over DOFs, trials and seeds; lowest first.
    recorded : dict of int to tuple of str
        MTUs that are still recorded, by number of electrodes.
    cells : tuple of dict
        Every calibration, see `Cell.compute`.
    protocol : {"multi-start", "paper"}
        How they were searched.
    """

    electrodes: tuple[str, ...]
    ranking: tuple[tuple[str, float], ...]
    recorded: dict[int, tuple[str, ...]]
    cells: tuple[dict[str, Any], ...]
    protocol: Protocol = "multi-start"

    def counts(self) -> list[int]:
        """Return the numbers of electrodes, largest first."""
        return sorted(self.recorded, reverse=True)

    def kept(self, count: int) -> tuple[str, ...]:
        """Return the electrodes that are kept at a count."""
        return self.electrodes[len(self.electrodes) - count :]

    def values(self, count: int, method: str, quantity: Quantity) -> list[float]:
        """Return a quantity of all repetitions.

        Parameters
        ----------
        count : int
            Number of electrodes.
        method : str
            How they were calibrated.
        quantity : callable
            Of a calibration.

        Returns
        -------
        list of float
            One per seed; empty where there was no such calibration.
        """
        return [
            quantity(cell)
            for cell in self.cells
            if len(cell["kept"]) == count and cell["method"] == method
        ]

    def difference(self, count: int, quantity: Quantity) -> GroupComparison | None:
        """Test whether the two methods differ at a count, over seeds; None with only one."""
        groups = [self.values(count, method, quantity) for method in (EMG_DRIVEN, HYBRID)]
        return compare_groups(*groups) if all(groups) else None


@one_blas_thread
def study_electrodes(
    folder: CalibrationFolder,
    setup: Path,
    tests: Sequence[Path],
    directory: Path,
    inputs: dict[str, str],
    options: ElectrodeOptions,
    progress: Progress,
) -> ElectrodeStudy:
    """Remove electrodes one after the other and calibrate at every count.

    Every electrode is dropped alone and the model calibrated EMG-driven; the one without which the
    moments are matched best is removed first. Then, at every count, the subject is calibrated
    EMG-driven, without the MTUs that lost their electrode, and synergy-hybrid, with synergies in
    their place. By default the former is searched from random starts by Levenberg-Marquardt, and
    the latter begins where it ends; with the paper's protocol both are searched by AdamW from the
    uncalibrated subject (sections III-C and III-D).

    Parameters
    ----------
    folder : CalibrationFolder
        What the setup file points at.
    setup : Path
        The setup file, for processes of their own.
    tests : sequence of Path
        ``inputData.xml`` of test trials.
    directory : Path
        Where finished calibrations are kept, and looked for.
    inputs : dict of str to str
        Hashes of all input files.
    options : ElectrodeOptions
        What to do.
    progress : callable
        Called with the number of calibrations that are done, see `n_calibrations`, and the name of
        the last one.

    Returns
    -------
    ElectrodeStudy

    Raises
    ------
    DataError
        If there is only one electrode.
    OptionError
        If a count is impossible.
    """
    electrodes = recorded_channels(folder.generator, folder.subject.mtu_names)
    methods = _methods(folder, len(electrodes), options)

    def cell(kept: Sequence[str], method: str, seed: int) -> Cell:
        return Cell(
            setup=setup,
            tests=tuple(tests),
            kept=tuple(sorted(kept)),
            method=method,
            protocol=options.protocol,
            seed=seed,
            starts=options.starts,
            n_synergy=options.n_synergy,
        )

    dropped = {
        electrode: [
            cell([name for name in electrodes if name != electrode], EMG_DRIVEN, seed)
            for seed in options.seeds_of(EMG_DRIVEN)
        ]
        for electrode in electrodes
    }
    first = [one for cells in dropped.values() for one in cells]
    with CellRunner[Cell](directory, inputs, options.jobs, progress) as run:
        found = run.all(first)
        ranking = sorted(
            (
                (name, float(np.mean([mean_error(found[one]) for one in cells])))
                for name, cells in dropped.items()
            ),
            key=lambda pair: pair[1],
        )
        order = tuple(name for name, _ in ranking)
        grid = [
            cell(order[len(order) - count :], method, seed)
            for count, names in methods.items()
            for method in names
            for seed in options.seeds_of(method)
        ]
        found = run.all(grid)
    return ElectrodeStudy(
        electrodes=order,
        ranking=tuple(ranking),
        recorded={count: _recorded(folder, order[len(order) - count :]) for count in methods},
        cells=tuple(found[one] for one in grid),
        protocol=options.protocol,
    )


def mean_error(cell: dict[str, Any], key: str = "rmse") -> float:
    """Return a figure of the calibration trials, averaged over trials and DOFs.

    Parameters
    ----------
    cell : dict
        A calibration, see `Cell.compute`.
    key : {"rmse", "r2"}
        Which [N m] or [-].

    Returns
    -------
    float
    """
    return mean_of(cell["fit"], key)


def mean_of(fit: dict[str, dict[str, dict[str, float | None]]], key: str) -> float:
    """Return a figure of a fit on file, averaged over trials and DOFs; NaN without any.

    Parameters
    ----------
    fit : dict
        Trial -> DOF -> figures.
    key : {"rmse", "r2"}
        Which [N m] or [-].

    Returns
    -------
    float
    """
    values = [one[key] for dofs in fit.values() for one in dofs.values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")


def n_calibrations(folder: CalibrationFolder, options: ElectrodeOptions) -> int:
    """Return how many calibrations a study needs, those on file included.

    Parameters
    ----------
    folder : CalibrationFolder
        What the setup file points at.
    options : ElectrodeOptions
        What to do.

    Returns
    -------
    int

    Raises
    ------
    DataError, OptionError
        As `study_electrodes`.
    """
    n_electrode = len(recorded_channels(folder.generator, folder.subject.mtu_names))
    methods = [EMG_DRIVEN] * n_electrode
    for names in _methods(folder, n_electrode, options).values():
        methods += names
    return sum(len(options.seeds_of(method)) for method in methods)


def _methods(
    folder: CalibrationFolder, n_electrode: int, options: ElectrodeOptions
) -> dict[int, list[str]]:
    """Return how to calibrate at every count, largest first."""
    if n_electrode < 2:
        raise DataError(
            where="study of electrodes", expected="at least two electrodes", got=str(n_electrode)
        )
    counts = options.counts or tuple(range(1, n_electrode + 1))
    for count in counts:
        if not 1 <= count <= n_electrode:
            expected = f"numbers of electrodes from 1 to {n_electrode}"
            raise OptionError(where="counts", expected=expected, got=str(count))
    # Where every MTU is recorded there is nothing to synthesise.
    is_complete = all(folder.generator.recorded(folder.subject.mtu_names))
    # The model with all electrodes is what all others are compared with.
    return {
        count: [EMG_DRIVEN] if is_complete and count == n_electrode else [EMG_DRIVEN, HYBRID]
        for count in sorted({*counts, n_electrode}, reverse=True)
    }


def _recorded(folder: CalibrationFolder, kept: Sequence[str]) -> tuple[str, ...]:
    names = folder.subject.mtu_names
    recorded = with_electrodes(folder.generator, kept).recorded(names)
    return tuple(name for name, one in zip(names, recorded, strict=True) if one)
