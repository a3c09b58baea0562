"""``ceinms-torch emg``: raw EMG to envelopes, and which channel drives which MTUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.markup import escape

from ceinms_torch.errors import OptionError
from ceinms_torch.io.paths import check_writable, kind_of
from ceinms_torch.terminal import options as opt
from ceinms_torch.terminal.display import counted, new_table, note, shown_warnings, stdout
from ceinms_torch.terminal.outputs import claim, say_overwriting, say_where

if TYPE_CHECKING:
    from rich.table import Table

    from ceinms_torch.arrays import FloatArray
    from ceinms_torch.emg.emg_quality import EmgQuality
    from ceinms_torch.emg.envelopes import EmgProcessing
    from ceinms_torch.emg.process import EmgResult, Normalisation
    from ceinms_torch.emg.raw_emg import RawEmg
    from ceinms_torch.recordings.filters import Edges

EXAMPLES = """
[bold]Examples[/]

Propose which electrode drives which MTUs, to be looked through:
  ceinms-torch emg walk.c3d --suggest model.osim --side r --out study

Envelopes of a session, over the greatest value of each channel in all its trials:
  ceinms-torch emg walk*.c3d run*.c3d --map study/emg.toml --out study/emg

Over maximal voluntary contractions, mains taken out:
  ceinms-torch emg walk*.sto --mvc mvc_calf.sto --mvc mvc_thigh.sto --notch 50 --out emg
"""


def command(
    recordings: Annotated[
        list[Path],
        typer.Argument(help="Raw EMG of one session: .c3d, .sto, .mot, .csv, text of a recorder."),
    ],
    out: opt.Out = None,
    emg_map: Annotated[Path | None, typer.Option("--map", help=opt.EMG_MAP)] = None,
    suggest: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Propose emg.toml for a model (.osim, or subject.xml), and end there.",
        ),
    ] = None,
    side: Annotated[
        str | None,
        typer.Option(help="r or l: side of electrodes whose label does not say it (--suggest)."),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Channels to use, without a map; by default all."),
    ] = None,
    mvc: Annotated[
        list[Path] | None,
        typer.Option(help="Recording of maximal voluntary contractions; may be repeated."),
    ] = None,
    maxima: opt.MaximaFile = None,
    normalise: Annotated[
        str | None,
        typer.Option(
            metavar="mvc|trials|each|none",
            help="By MVC trials; by the greatest of all trials (default without MVC trials and "
            "maxima), MVC trials included; each recording by its own greatest; or not at all.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--emg-rate", help="Sampling rate in Hz, where a file has neither times nor a rate."
        ),
    ] = None,
    band_pass: opt.BandPass = "30,300",  # noqa: S107  no password
    band_pass_order: Annotated[
        int, typer.Option(min=1, help="Order of each of the band-pass filter's two passes.")
    ] = 3,
    low_pass: opt.LowPass = 5.0,
    low_pass_order: Annotated[
        int, typer.Option(min=1, help="Order of each of the low-pass filter's two passes.")
    ] = 4,
    notch: opt.Notch = None,
    causal: Annotated[
        bool, typer.Option("--causal", help="One pass of each filter, as in real time: late.")
    ] = False,
    edges: Annotated[
        str,
        typer.Option(
            metavar="filtfilt|mirrored|turned",
            help="How recordings are padded: as filtfilt of MATLAB and SciPy, which most published "
            "envelopes are made by; or mirrored, which keeps the level at both ends.",
        ),
    ] = "filtfilt",
    gap: Annotated[
        float, typer.Option(help="Longest gap that is interpolated, in s; longer is an error.")
    ] = 0.02,
    resample: Annotated[
        float, typer.Option(help="Rate of the envelopes in Hz; 0 for that of the recording.")
    ] = 100.0,
    delay: Annotated[
        float, typer.Option(help="By how much the recorder's EMG is late, in s.")
    ] = 0.0,
    motion: Annotated[
        list[Path] | None,
        typer.Option(
            "--beside",
            help="Storage file, .trc or .c3d recorded beside the EMG, to compare begin and length "
            "with; once for each recording, in their order.",
        ),
    ] = None,
    no_figures: Annotated[
        bool, typer.Option("--no-figures", help="No figure of every channel.")
    ] = False,
    quiet: opt.Quiet = False,
) -> None:
    """Make normalised linear envelopes of raw EMG, and measure how good the recordings are.

    Offset removed, band-passed, rectified, low-passed, over a maximum, resampled. Filters run
    forward and backward and shift nothing; cut-offs are those of both passes together. Writes
    TRIAL/emg.sto, maxima.csv, quality.json and .csv, study.json with every setting, a figure of
    every channel, and excitationGenerator.xml with a map. EMG below 500 Hz is refused.
    """
    from ceinms_torch.emg.emg_map import EmgMap  # noqa: PLC0415
    from ceinms_torch.emg.process import process_emg, read_maxima  # noqa: PLC0415  fast --help
    from ceinms_torch.emg.raw_emg import read_raw_emg  # noqa: PLC0415

    directory = out or recordings[0].parent / "emg"
    check_writable(directory)
    with shown_warnings():
        if suggest is not None:
            _suggest(recordings[0], suggest, directory, rate=rate, side=side)
            return
        chosen = None if emg_map is None else EmgMap.read(emg_map)
        trials = [read_raw_emg(path, rate=rate) for path in recordings]
        contractions = [read_raw_emg(path, rate=rate) for path in mvc or ()]
        given, of_maxima = (None, None) if maxima is None else read_maxima(maxima)
        _check_motion(trials, motion or (), delay)
        _claim(directory, trials, [*recordings, *(mvc or ()), *filter(None, (maxima, emg_map))])
        result = process_emg(
            trials,
            processing=_processing(
                band_pass=band(band_pass),
                band_pass_order=band_pass_order,
                low_pass=low_pass,
                low_pass_order=low_pass_order,
                notch=notch,
                causal=causal,
                edges=cast("Edges", edges),
                largest_gap=gap,
                rate=resample or None,
                delay=delay,
            ),
            normalise=cast("Normalisation | None", normalise),
            mvc=contractions,
            maxima=given,
            emg_map=chosen,
            channels=None if channels is None else opt.words(channels),
        )
        if of_maxima is not None:
            result = replace(result, sources=(*result.sources, of_maxima))
        _write(result, directory, figures=not no_figures, quiet=quiet)
    if not quiet:
        for quality in result.qualities:
            stdout.print(_table(quality))
        _say_doubts(result)
        stdout.print(escape(result.processing.sentence + "."), soft_wrap=True)
    say_where(directory)


def _processing(**values: Any) -> EmgProcessing:
    from ceinms_torch.emg.envelopes import EmgProcessing  # noqa: PLC0415

    return EmgProcessing(**values)


def band(text: str) -> tuple[float, float]:
    """Return the two frequencies [Hz] of ``--band-pass``."""
    try:
        low, high = map(float, opt.words(text))
    except ValueError:
        raise OptionError(
            where="--band-pass", expected="two frequencies in Hz, as in 30,300", got=repr(text)
        ) from None
    return low, high


def _claim(directory: Path, trials: Sequence[RawEmg], inputs: Sequence[Path]) -> None:
    from ceinms_torch.results.emg import STUDY_FILE, emg_outputs  # noqa: PLC0415

    files = emg_outputs(directory, [one.name for one in trials])
    study = directory / STUDY_FILE
    say_overwriting(study, inputs=inputs, others=[one for one in files if one != study])
    claim(directory)


def _check_motion(trials: Sequence[RawEmg], files: Sequence[Path], delay: float) -> None:
    from ceinms_torch.emg.emg_timing import check_timing  # noqa: PLC0415

    if files and len(files) != len(trials):
        raise OptionError(
            where="--beside",
            expected=f"a file for each of {len(trials)} recordings",
            got=str(len(files)),
        )
    for trial, file in zip(trials, files, strict=False):
        check_timing(trial, _times(file), str(file), delay=delay)


def _times(file: Path) -> FloatArray:
    """Return the times of markers, angles or forces [s]."""
    if file.suffix.casefold() == ".trc":
        from ceinms_torch.recordings.trc import read_trc  # noqa: PLC0415

        return read_trc(file).time
    if file.suffix.casefold() == ".c3d":
        from ceinms_torch.recordings.c3d import read_c3d  # noqa: PLC0415

        return read_c3d(file).markers.time
    from ceinms_torch.io.storage import read_storage  # noqa: PLC0415

    return read_storage(file).time


def _write(result: EmgResult, directory: Path, *, figures: bool, quiet: bool) -> None:
    from ceinms_torch.inputs.outputs import safe_name  # noqa: PLC0415
    from ceinms_torch.results.emg import save_emg  # noqa: PLC0415

    def draw() -> None:
        from ceinms_torch.plots.emg import plot_emg  # noqa: PLC0415
        from ceinms_torch.plots.style import save_figure  # noqa: PLC0415

        with counted("drawing", quiet=quiet) as done:
            for i, channel in enumerate(result.channels, 1):
                figure = plot_emg(result, channel)
                save_figure(figure, directory / "figures", safe_name(channel), ("png",))
                done(i, len(result.channels))

    save_emg(result, directory, beside=draw if figures else None)


# ---- What is shown ----------------------------------------------------------------------


def _table(quality: EmgQuality) -> Table:
    numbers = ("signal\nto rest\n[dB]", "hum\n[%]", "median\nfreq.\n[Hz]", "clipped", "missing")
    title = f"{quality.name}: {quality.seconds:.4g} s at {quality.rate:g} Hz"
    table = new_table(title, ("channel",), numbers)
    table.add_column("doubts", overflow="fold")
    for one in quality.channels:
        codes = sorted({doubt.code for doubt in quality.doubts_of(one.channel)})
        table.add_row(
            escape(one.channel),
            f"{one.snr:.1f}",
            f"{100.0 * one.hum:.0f}",
            f"{one.median_frequency:.0f}",
            str(one.clipped or ""),
            str(one.missing or ""),
            ", ".join(codes),
        )
    return table


def _say_doubts(result: EmgResult) -> None:
    """Say every doubt once, with the recordings that have it; numbers are those of the first."""
    found: dict[tuple[object, ...], list[tuple[str, str]]] = {}
    for quality in result.qualities:
        for doubt in quality.doubts:
            key = (doubt.code, doubt.channels)
            found.setdefault(key, []).append((quality.name, doubt.text))
    for (_, channels), said in found.items():
        where = " and ".join(cast("tuple[str, ...]", channels)) or "recording"
        names, text = [name for name, _ in said], said[0][1]
        more = "" if len(names) == 1 else f", and in {len(names) - 1} more"
        note(f"{where}: {text} (in {names[0]}{more})", kind="warning")


# ---- A proposal -------------------------------------------------------------------------


def _suggest(
    recording: Path, model: Path, directory: Path, *, rate: float | None, side: str | None
) -> None:
    """Write emg.toml for a model, and show what it leaves open."""
    from ceinms_torch.emg.raw_emg import read_raw_emg  # noqa: PLC0415
    from ceinms_torch.emg.suggested_map import suggest_map  # noqa: PLC0415

    if side not in (None, "r", "l"):
        raise OptionError(where="--side", expected="r or l", got=repr(side))
    file = directory / "emg.toml"
    if kind_of(file) != "nothing":
        raise OptionError(
            where=file,
            expected="no map yet",
            got="one that somebody may have changed",
            hint="Delete or rename it, or choose another --out",
        )
    found = suggest_map(
        read_raw_emg(recording, rate=rate).channels, _mtu_names(model), body_side=side
    )
    found.map.write(file, found.comments())
    table = new_table("proposed", ("channel", "muscle", "MTUs and weights"))
    for name, mtus in found.map.channels.items():
        weights = ", ".join(
            mtu if weight == 1.0 else f"{mtu} × {weight:g}" for mtu, weight in mtus.items()
        )
        table.add_row(escape(name), found.muscles[name], escape(weights))
    stdout.print(table)
    for name, muscles in found.ambiguous.items():
        note(f"{name}: {' or '.join(muscles)}? It is not in the map", kind="warning")
    for name in found.unknown:
        note(f"{name}: no muscle of the model has that name; it is not in the map", kind="warning")
    note(f"{len(found.silent)} MTUs have no electrode; look the map through before it is used")
    say_where(file)


def _mtu_names(model: Path) -> list[str]:
    """Return the MTUs of a model of OpenSim or of a subject."""
    if model.suffix.casefold() == ".osim":
        from ceinms_torch.osim.model_file import read_model  # noqa: PLC0415

        return [muscle.name for muscle in read_model(model).muscles]
    from ceinms_torch.model.subject import Subject  # noqa: PLC0415

    return list(Subject.read(model).mtu_names)
