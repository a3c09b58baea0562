"""Makers of raw EMG: noise of an electrode's band whose amplitude is known, and files of it."""

import numpy as np

import ceinms_torch as ct

CHANNELS = ("TA", "SOL", "MG", "VL")


def amplitude(time, phase=0.0):
    """Return a muscle's level: 0.1 at rest, 1 once a second."""
    return 0.1 + 0.9 * np.sin(np.pi * time + phase) ** 4


def raw_emg(rate=1000.0, seconds=6.0, channels=CHANNELS, name="walk", seed=0, **changes):
    """Return independent noise of 20 to 400 Hz with different levels, about an offset."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    noise = generator.normal(size=(len(time), len(channels)))
    # Surface EMG has most of its power about 80 Hz.
    noise = ct.butterworth(noise, rate, (40.0, 120.0), kind="band-pass", order=1)
    levels = np.column_stack([amplitude(time, 0.7 * i) for i in range(len(channels))])
    values = 0.05 + levels * noise / noise.std(axis=0)
    return ct.RawEmg(name=name, rate=rate, channels=channels, values=values, **changes)


def write_raw(path, raw, *, times=True, header="", decimals=6):
    """Write a recording as a recorder would: text with or without a column of times."""
    labels = (["time"] if times else []) + list(raw.channels)
    rows = [
        ",".join(
            ([f"{t:.6f}"] if times else [])
            + ["" if np.isnan(one) else f"{one:.{decimals}f}" for one in row]
        )
        for t, row in zip(raw.time, raw.values, strict=True)
    ]
    path.write_text("\n".join([*header.splitlines(), ",".join(labels), *rows]) + "\n")
    return path
