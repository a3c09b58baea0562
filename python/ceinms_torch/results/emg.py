"""Envelopes on disk, with what is 1 in them, how good the recordings are, and how it was done."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ceinms_torch.emg.process import NORMALISATIONS, EmgResult
from ceinms_torch.inputs.outputs import GENERATOR_FILE, safe_name
from ceinms_torch.io.paths import write_atomically
from ceinms_torch.io.plain import plain
from ceinms_torch.io.results import results_in
from ceinms_torch.io.storage import write_storage
from ceinms_torch.results.provenance import file_hashes, versions

STUDY_FILE, QUALITY_FILE, QUALITY_TABLE = "study.json", "quality.json", "quality.csv"
MAXIMA_FILE, ENVELOPE_FILE = "maxima.csv", "emg.sto"
_QUALITY_COLUMNS = {
    "offset": "offset [{unit}]",
    "rms": "RMS in band [{unit}]",
    "missing": "missing samples",
    "longest_gap": "longest gap [s]",
    "clipped": "clipped samples",
    "flat": "longest flat run [s]",
    "hum": "mains hum [share of power]",
    "mains": "mains [Hz]",
    "snr": "signal to rest [dB]",
    "median_frequency": "median frequency [Hz]",
}


def emg_outputs(directory: Path, names: Iterable[str]) -> list[Path]:
    """Return the files that `save_emg` writes for trials of these names, whatever is in them."""
    files = (STUDY_FILE, QUALITY_FILE, QUALITY_TABLE, MAXIMA_FILE, GENERATOR_FILE)
    return [directory / name for name in files] + [envelope_file(directory, one) for one in names]


def envelope_file(directory: Path, name: str) -> Path:
    """Return where the envelopes of a recording go."""
    return directory / safe_name(name) / ENVELOPE_FILE


def save_emg(
    result: EmgResult,
    directory: str | os.PathLike[str],
    *,
    beside: Callable[[], object] | None = None,
) -> None:
    """Write envelopes and what is known about them, all of it or nothing.

    Parameters
    ----------
    result : EmgResult
        What `process_emg` returned.
    directory : path-like
        The folder: ``TRIAL/emg.sto`` for every trial, ``maxima.csv``, ``quality.json``,
        ``quality.csv``, ``study.json`` with every setting, the hashes of all files and versions;
        with a map ``excitationGenerator.xml`` for the MTUs that have an electrode.
    beside : callable, optional
        Writes what belongs to it, such as figures, by `write_atomically`.

    Raises
    ------
    OptionError
        If a file to write is one that was read, or another process writes into the folder.
    """
    folder = Path(directory)
    inputs = [one.path for one in result.sources if one.path is not None]
    with results_in(folder, inputs):
        for one in result.envelopes:
            write_storage(
                envelope_file(folder, one.name),
                one.time,
                one.channels,
                one.values,
                name=f"Linear envelopes of EMG of {one.name}",
                units=one.unit,
            )
        if result.maxima:
            unit = result.recordings[0].unit or "recorder units"
            rows = [(name, repr(value)) for name, value in result.maxima.items()]
            _write_table(folder / MAXIMA_FILE, ("channel", f"maximum [{unit}]"), rows)
        _write_quality(result, folder)
        if result.emg_map is not None:
            result.emg_map.excitation_generator().write(folder / GENERATOR_FILE)
        if beside is not None:
            beside()
        _write_json(folder / STUDY_FILE, _study(result, folder))


def _study(result: EmgResult, folder: Path) -> dict[str, Any]:
    return {
        "made_by": "ceinms-torch emg",
        "what": result.processing.sentence,
        "processing": result.processing,
        "normalised_by": NORMALISATIONS[result.normalisation],
        "maxima": result.maxima,
        "channels": None if result.emg_map is None else result.emg_map.channels,
        "trials": {
            raw.name: {
                "rate [Hz]": raw.rate,
                "unit": raw.unit,
                "file": raw.source.path,
                "envelopes": envelope_file(folder, raw.name).relative_to(folder),
                "filters are late by [s]": result.processing.late(raw.rate),
                "depends on what is beyond each end [s]": 0.5 / result.processing.low_pass,
            }
            for raw in result.recordings
        },
        "inputs": file_hashes(result.sources, None),
        "versions": versions(),
    }


def _write_quality(result: EmgResult, folder: Path) -> None:
    _write_json(folder / QUALITY_FILE, {"recordings": result.qualities})
    unit = result.recordings[0].unit or "recorder units"
    header = [text.format(unit=unit) for text in _QUALITY_COLUMNS.values()]
    rows = []
    for quality in result.qualities:
        for one in quality.channels:
            doubts = [doubt.of(one.channel) for doubt in quality.doubts_of(one.channel)]
            numbers = [f"{getattr(one, key):.6g}" for key in _QUALITY_COLUMNS]
            rows.append((quality.name, one.channel, *numbers, "; ".join(doubts)))
    _write_table(folder / QUALITY_TABLE, ("recording", "channel", *header, "doubts"), rows)


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_atomically(path, text.getvalue().encode())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
