"""EMG of a study: envelopes, made of raw recordings if need be, and which MTUs they drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ceinms_torch.emg.emg_map import EmgMap
from ceinms_torch.emg.emg_quality import EmgQuality
from ceinms_torch.emg.emg_timing import check_timing
from ceinms_torch.emg.envelopes import EmgProcessing, Envelopes
from ceinms_torch.emg.process import Normalisation, process_emg, read_maxima
from ceinms_torch.emg.raw_emg import RawEmg, read_raw_emg
from ceinms_torch.errors import DataError, Place
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.io.display import OneLine
from ceinms_torch.io.storage import StorageReader
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.osim.model_file import OsimModel
from ceinms_torch.recordings.trc import read_trc
from ceinms_torch.study_folder.trial_list import TrialRow


@dataclass(frozen=True, kw_only=True)
class EmgSettings(OneLine):
    """How raw EMG becomes normalised envelopes; see `process_emg`.

    Parameters
    ----------
    processing : EmgProcessing
        Filters and rates.
    normalise : str, optional
        By what envelopes are divided.
    mvc : tuple of Path
        Recordings of maximal voluntary contractions.
    maxima : Path, optional
        A CSV file with what is 1, by channel.
    """

    processing: EmgProcessing = field(default_factory=EmgProcessing)
    normalise: Normalisation | None = None
    mvc: tuple[Path, ...] = ()
    maxima: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names."""
        return self.mvc if self.maxima is None else (*self.mvc, self.maxima)


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
    FileFormatError, DataError
        If the file is missing or faulty, or labels of channels contradict it.
    UnknownNameError
        If the model has no muscle of a name.
    """
    if path.suffix.casefold() == ".xml":
        generator = ExcitationGenerator.read(path)
    else:
        emg_map = EmgMap.read(path)
        emg_map.check_mtus(one.name for one in model.muscles)
        generator = emg_map.excitation_generator()
    weights = {one.id: dict(one.inputs) for one in generator.excitations if one.inputs}
    for name in weights:
        model.muscle(name)
    return weights


def study_envelopes(
    rows: Sequence[TrialRow],
    channels: Sequence[str],
    settings: EmgSettings,
    read: StorageReader,
) -> tuple[dict[str, Envelopes], list[Finding]]:
    """Return the normalised envelopes of all trials.

    Parameters
    ----------
    rows : sequence of TrialRow
        The trials; those with raw EMG in the same file are parts of one recording.
    channels : sequence of str
        Those that the map uses.
    settings : EmgSettings
        How raw EMG becomes envelopes.
    read : StorageReader
        What reads files of envelopes and angles.

    Returns
    -------
    dict of str to Envelopes
        By trial.
    list of Finding
        What is doubtful in the raw EMG.

    Raises
    ------
    DataError, FileFormatError
        If a trial has no EMG, a file lacks a channel, the EMG was not recorded beside the markers,
        or cannot be processed.
    """
    found: dict[str, Envelopes] = {}
    raw: dict[Path, RawEmg] = {}
    sources: dict[str, Path] = {}
    for row in rows:
        if "envelopes" in row.files:
            storage = read(row.files["envelopes"])
            found[row.name] = Envelopes(
                name=row.name,
                time=storage.time - settings.processing.delay,
                channels=tuple(channels),
                values=storage.select(channels),
                unit="-",
                greatest={},
            )
            _check_timing(found[row.name], row, read, 0.0)
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
            raw[file] = read_raw_emg(file, name=row.name)
            _check_timing(raw[file], row, read, settings.processing.delay)
    if not raw:
        return found, []
    result = process_emg(
        list(raw.values()),
        processing=settings.processing,
        normalise=settings.normalise,
        mvc=[read_raw_emg(path) for path in settings.mvc],
        maxima=None if settings.maxima is None else read_maxima(settings.maxima)[0],
        channels=channels,
    )
    by_file = dict(zip(raw, result.envelopes, strict=True))
    for name, file in sources.items():
        lost = [one for one in channels if one not in by_file[file].channels]
        if lost:
            raise DataError(
                where=Place(file, element="EMG", column=lost[0], trial=name),
                expected="a signal",
                got="a dead channel",
                hint="Take it out of the map, or leave the trial out",
                code="emg-dead",
            )
        found[name] = by_file[file]
    return found, _doubts(result.qualities)


def _check_timing(
    emg: RawEmg | Envelopes, row: TrialRow, read: StorageReader, delay: float
) -> None:
    """Compare the clock of the EMG with that of the motion beside it."""
    other = row.files.get("trc", row.files.get("motion"))
    if other is not None:
        time = read_trc(other).time if other.suffix.casefold() == ".trc" else read(other).time
        check_timing(emg, time, f"'{other}'", delay=delay)


def _doubts(qualities: Sequence[EmgQuality]) -> list[Finding]:
    """Return what is doubtful, once for all trials that have it."""
    texts: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    for quality in qualities:
        for one in quality.doubts:
            texts.setdefault((one.code, one.channels), []).append((quality.name, one.text))
    return [
        Finding(
            severity="warning",
            code=f"emg-{code}",
            where=Place(element="EMG", trial=listed([trial for trial, _ in found])),
            what=f"{' and '.join(channels) or 'All channels'}: {found[0][1].rstrip('.')}.",
            why="The excitation of the MTUs that it drives is wrong by as much.",
            to_do="Look at the channel (ceinms-torch emg draws it); if it is lost, take it out of "
            "the map.",
        )
        for (code, channels), found in texts.items()
    ]


def sources_of(weights: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """Return the channels that a map uses, each once."""
    return tuple(dict.fromkeys(name for one in weights.values() for name in one))
