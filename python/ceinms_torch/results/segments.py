"""Cycles on disk: a table, trials with their start and stop, or files cut to them."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.io.results import results_in
from ceinms_torch.io.source import Source
from ceinms_torch.io.storage import Storage, StorageReader, write_storage
from ceinms_torch.model.input_data import InputData
from ceinms_torch.model.trial_files import TIME_TOLERANCE
from ceinms_torch.recordings.cycles import Cycle
from ceinms_torch.recordings.segmentation import Segmentation
from ceinms_torch.recordings.trc import Markers, read_trc, write_trc
from ceinms_torch.results.provenance import file_hashes, versions

CYCLES_FILE, STUDY_FILE = "cycles.csv", "study.json"


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """What is to be cut to cycles, and with how much before and after.

    Parameters
    ----------
    trial : InputData, optional
        A trial as long as the recording.
    cut_trial : bool
        Whether its tables are cut, in place of a start and stop in its ``inputData.xml``.
    files : tuple of Path
        Storage and TRC files.
    before, after : float
        What excitations and `files` have beyond a cycle [s]: for the electromechanical delay and
        for filters, which the other tables of a trial must not have.
    """

    trial: InputData | None = None
    cut_trial: bool = False
    files: tuple[Path, ...] = ()
    before: float = 0.2
    after: float = 0.05

    def __post_init__(self) -> None:
        """Check ranges."""
        for name, value in (("--before", self.before), ("--after", self.after)):
            if not 0.0 <= value < math.inf:
                raise OptionError(where=name, expected="0 s or more", got=f"{value:g}")

    def tables(self) -> dict[Path, bool]:
        """Return the tables of the trial, and whether each has more than the cycle."""
        if self.trial is None:
            return {}
        data = self.trial
        exact = [data.muscle_tendon_length_file, *data.moment_arms_files.values()]
        if data.external_torques_file is not None:
            exact.append(data.external_torques_file)
        return dict.fromkeys(exact, False) | {data.excitations_file: True}


@dataclass(kw_only=True, eq=False)
class Cut:
    """A segmentation, and the files to be cut to it, read and covering every cycle in use.

    Parameters
    ----------
    segmentation : Segmentation
        Cycles that a file does not cover are left out, with the reason.
    cutting : Cutting
        What is to be cut.
    recordings : dict of Path to Storage or Markers
        What was read.
    """

    segmentation: Segmentation
    cutting: Cutting
    recordings: dict[Path, Storage | Markers] = field(default_factory=dict)

    @classmethod
    def read(cls, segmentation: Segmentation, cutting: Cutting) -> Cut:
        """Read the files to be cut.

        Parameters
        ----------
        segmentation : Segmentation
            The cycles.
        cutting : Cutting
            What is to be cut.

        Returns
        -------
        Cut

        Raises
        ------
        FileFormatError
            If a file is missing or faulty.
        """
        read = StorageReader()
        padded = cutting.tables() | dict.fromkeys(cutting.files, True)
        recordings: dict[Path, Storage | Markers] = {
            path: read_trc(path) if path.suffix.casefold() == ".trc" else read(path)
            for path in padded
        }
        cycles = []
        for cycle in segmentation.cycles:
            why = cycle.why
            for path, has_more in padded.items():
                time = recordings[path].time
                start = cycle.start - (cutting.before if has_more else 0.0)
                slack = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
                if start < time[0] - slack or cycle.stop > time[-1] + slack:
                    span = f"{time[0]:g} to {time[-1]:g} s"
                    why = why or (
                        f"'{path.name}' has {span}, needed is {start:.4g} to {cycle.stop:.4g} s"
                    )
            cycles.append(replace(cycle, why=why))
        found = replace(
            segmentation,
            cycles=tuple(cycles),
            sources=(*segmentation.sources, *(one.source for one in recordings.values())),
        )
        return cls(segmentation=found, cutting=cutting, recordings=recordings)

    def inputs(self) -> list[Path]:
        """Return all files that were read."""
        trial = self.cutting.trial
        paths = [one.path for one in self.segmentation.sources if one.path is not None]
        return paths + ([trial.path] if trial is not None and trial.path is not None else [])

    def outputs(self, directory: Path) -> Iterator[Path]:
        """Iterate over the files that `save_segmentation` writes, the table of cycles first."""
        yield directory / CYCLES_FILE
        yield directory / STUDY_FILE
        for cycle in self.segmentation.used:
            if self.cutting.trial is not None:
                yield self._trial_file(directory, cycle)
            for name in self._cut_files().values():
                yield self._folder(directory, cycle) / name

    def _cut_files(self) -> dict[Path, str]:
        """Return the files to cut, and what each is called then: folders keep some names apart."""
        tables = self.cutting.tables() if self.cutting.cut_trial else {}
        names: dict[Path, str] = {}
        for path in dict.fromkeys([*tables, *self.cutting.files]):
            name, same = path.name, 2
            while name in names.values():
                name, same = f"{path.stem}_{same}{path.suffix}", same + 1
            names[path] = name
        return names

    def _folder(self, directory: Path, cycle: Cycle) -> Path:
        trial = self.cutting.trial
        return directory / (cycle.name if trial is None else f"{trial.name}_{cycle.name}")

    def _trial_file(self, directory: Path, cycle: Cycle) -> Path:
        folder = self._folder(directory, cycle)
        return folder / "inputData.xml" if self.cutting.cut_trial else folder.with_suffix(".xml")

    def write_cycle(self, directory: Path, cycle: Cycle) -> None:
        """Write the trial of a cycle, and the files that are cut to it."""
        trial, tables = self.cutting.trial, self.cutting.tables()
        folder = self._folder(directory, cycle)
        names = self._cut_files()
        for path, name in names.items():
            has_more = tables.get(path, True)
            start = cycle.start - (self.cutting.before if has_more else 0.0)
            stop = cycle.stop + (self.cutting.after if has_more else 0.0)
            _write_rows(folder / name, self.recordings[path], start, stop)
        if trial is None:
            return
        if not self.cutting.cut_trial:
            times = (cycle.start, cycle.stop)
            replace(trial, start_stop_time=times).write(self._trial_file(directory, cycle))
            return
        torques = trial.external_torques_file
        replace(
            trial,
            muscle_tendon_length_file=folder / names[trial.muscle_tendon_length_file],
            moment_arms_files={
                dof: folder / names[path] for dof, path in trial.moment_arms_files.items()
            },
            excitations_file=folder / names[trial.excitations_file],
            external_torques_file=None if torques is None else folder / names[torques],
            start_stop_time=None,
        ).write(self._trial_file(directory, cycle))


def _write_rows(path: Path, recording: Storage | Markers, start: float, stop: float) -> None:
    if isinstance(recording, Markers):
        write_trc(path, recording.between(start - TIME_TOLERANCE, stop + TIME_TOLERANCE))
        return
    rows = _between(recording.time, start, stop)
    write_storage(
        path,
        recording.time[rows],
        [recording.paths.get(name, name) for name in recording.columns],
        recording.values[rows],
        name=recording.name,
        units=recording.units,
        in_degrees=recording.in_degrees,
    )


def _between(time: FloatArray, start: float, stop: float) -> BoolArray:
    return np.asarray((time >= start - TIME_TOLERANCE) & (time <= stop + TIME_TOLERANCE))


def save_segmentation(cut: Cut, directory: str | os.PathLike[str]) -> None:
    """Write cycles, and what is cut to them, all of it or nothing.

    Parameters
    ----------
    cut : Cut
        What `Cut.read` returned.
    directory : path-like
        The folder: ``cycles.csv``; ``study.json`` with every setting, the hashes of all files and
        versions; of each cycle in use ``TRIAL_CYCLE.xml``, or a folder with what is cut.

    Raises
    ------
    OptionError
        If a file to write is one that was read, or another process writes into the folder.
    """
    folder, segmentation = Path(directory), cut.segmentation
    with results_in(folder, cut.inputs()):
        write_atomically(folder / CYCLES_FILE, _table(segmentation).encode())
        for cycle in segmentation.used:
            cut.write_cycle(folder, cycle)
        text = json.dumps(plain(_study(cut)), indent=2, allow_nan=False, ensure_ascii=False)
        write_atomically(folder / STUDY_FILE, f"{text}\n".encode())


def _table(segmentation: Segmentation) -> str:
    text = io.StringIO()
    middle = segmentation.middle
    header = ("cycle", "foot", "phase", "start [s]", f"{middle} [s]", "stop [s]", "duration [s]")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*header, "used", "why not"))
    for one in segmentation.cycles:
        times = [_digits(value) for value in (one.start, one.middle, one.stop, one.duration)]
        used = "no" if one.why else "yes"
        writer.writerow((one.name, one.foot or "", segmentation.phase, *times, used, one.why))
    return text.getvalue()


def _digits(value: float) -> str:
    """Write a time to the microsecond, as sums of decimal steps are meant."""
    return "" if math.isnan(value) else f"{value:.6f}".rstrip("0").rstrip(".")


def _study(cut: Cut) -> dict[str, object]:
    segmentation, cutting = cut.segmentation, cut.cutting
    contacts = segmentation.contacts
    trial = cutting.trial
    sources: Sequence[Source] = segmentation.sources
    if trial is not None and trial.document is not None:
        sources = (*sources, trial.document.source)
    return {
        "made_by": "ceinms-torch segment",
        "settings": segmentation.settings,
        "cycles": {
            "found": len(segmentation.cycles),
            "used": [one.name for one in segmentation.used],
            "left_out": {one.name: one.why for one in segmentation.cycles if one.why},
        },
        "contacts": None
        if contacts is None
        else {
            "complete": {foot: len(contacts.complete(foot)) for foot in contacts.thresholds},
            "threshold [N]": contacts.thresholds,
            "unloaded plate, least and greatest [N]": contacts.drift,
            "doubtful": contacts.doubts,
        },
        "remarks": segmentation.remarks,
        "cut": {
            "trial": None if trial is None else trial.path,
            "tables_cut": cutting.cut_trial,
            "files": cutting.files,
            "before [s]": cutting.before,
            "after [s]": cutting.after,
        },
        "inputs": file_hashes(sources, None),
        "versions": versions(),
    }
