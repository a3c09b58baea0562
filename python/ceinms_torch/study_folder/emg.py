"""EMG of a study: envelopes, made of raw recordings if need be, and which MTUs they drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ceinms_torch.errors import DataError, Place
from ceinms_torch.io.storage import StorageReader
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.osim.model_file import OsimModel
from ceinms_torch.recordings.emg_map import EmgMap
from ceinms_torch.recordings.envelopes import (
    EmgProcessing,
    Envelopes,
    envelopes,
    greatest_of,
    normalised,
)
from ceinms_torch.recordings.raw_emg import read_raw_emg
from ceinms_torch.study_folder.trial_list import TrialRow


def read_map(path: Path, model: OsimModel) -> dict[str, dict[str, float]]:
    """Read which channels drive which MTUs.

    Parameters
    ----------
    path : Path
        An ``emg.toml``, or an ``excitationGenerator.xml``.
    model : OsimModel
        The model that has the MTUs.

    Returns
    -------
    dict of str to dict of str to float
        Weights of channels by MTU; none of them is empty.

    Raises
    ------
    FileFormatError
        If the file is missing or faulty.
    UnknownNameError
        If the model has no muscle of a name.
    """
    is_xml = path.suffix.casefold() == ".xml"
    generator = ExcitationGenerator.read(path) if is_xml else _of_toml(path, model)
    weights = {one.id: dict(one.inputs) for one in generator.excitations if one.inputs}
    for name in weights:
        model.muscle(name)
    return weights


def _of_toml(path: Path, model: OsimModel) -> ExcitationGenerator:
    emg_map = EmgMap.read(path)
    emg_map.check_mtus(one.name for one in model.muscles)
    return emg_map.excitation_generator()


def study_envelopes(
    rows: Sequence[TrialRow],
    channels: Sequence[str],
    read: StorageReader,
    *,
    processing: EmgProcessing,
    maxima: Mapping[str, float] | None,
) -> dict[str, Envelopes]:
    """Return the normalised envelopes of all trials.

    Parameters
    ----------
    rows : sequence of TrialRow
        The trials; those with raw EMG in the same file are parts of one recording.
    channels : sequence of str
        Those that the map uses.
    read : StorageReader
        What reads files of envelopes.
    processing : EmgProcessing
        How raw EMG becomes envelopes.
    maxima : mapping of str to float, optional
        What is 1, by channel, of raw EMG; by default the greatest of all recordings.

    Returns
    -------
    dict of str to Envelopes
        By trial.

    Raises
    ------
    DataError, FileFormatError
        If a trial has no EMG, a file lacks a channel, or the EMG cannot be processed.
    """
    raw: dict[Path, Envelopes] = {}
    found: dict[str, Envelopes] = {}
    sources = {}
    for row in rows:
        if "envelopes" in row.files:
            storage = read(row.files["envelopes"])
            found[row.name] = Envelopes(
                name=row.name,
                time=storage.time,
                channels=tuple(channels),
                values=storage.select(channels),
                unit="-",
                greatest={},
            )
            continue
        file = row.files.get("emg", row.files.get("c3d"))
        if file is None:
            raise DataError(
                where=Place(row.place.file, row.place.line, "emg", row.name),
                expected="EMG: a file of raw EMG (column emg), or of envelopes (column envelopes)",
                got="none",
                code="recording-incomplete",
            )
        sources[row.name] = file
        if file not in raw:
            raw[file] = envelopes(read_raw_emg(file).select(channels), processing)
    if raw:
        scale = greatest_of(list(raw.values())) if maxima is None else maxima
        found |= {name: normalised(raw[file], scale) for name, file in sources.items()}
    return found
