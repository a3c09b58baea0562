"""Whether a model, a motion and external loads are those that a trial was made from."""

from __future__ import annotations

import warnings

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.loads.maps import LoadMaps
from ceinms_torch.model.trial import Trial

_ARM = 0.005  # difference of moment arms that is worth a word, rms [m]
_MOMENT = 0.1  # of moments, rms over the largest


def compare_with_trial(maps: LoadMaps, trial: Trial) -> None:
    """Warn where OpenSim's moment arms and moments are not those of the trial.

    Parameters
    ----------
    maps : LoadMaps
        Of the trial's motion.
    trial : Trial
        What the muscle forces were calculated from.

    Warns
    -----
    CeinmsTorchWarning
        Of moment arms that differ by more than 5 mm (rms), and of measured moments that differ by
        more than 10 % of their peak.
    """
    arms, moments = [], []
    for i, dof in enumerate(trial.dof_names):
        if dof not in maps.coordinates:
            continue
        place = maps.coordinates.index(dof)
        for j, mtu in enumerate(trial.mtu_names):
            if mtu in maps.actuators:
                ours = _at(maps.time, trial.time, trial.moment_arm[:, i, j])
                theirs = maps.moment_arm[:, place, maps.actuators.index(mtu)]
                if (difference := _rms(ours - theirs)) > _ARM:
                    arms.append((difference, f"{mtu} about {dof} {1e3 * difference:.0f} mm"))
        if trial.measured_moment is not None:
            measured = _at(maps.time, trial.time, trial.measured_moment[:, i])
            share = _rms(measured - maps.net_moment[:, place]) / np.abs(measured).max(initial=1e-9)
            if share > _MOMENT:
                moments.append((share, f"{dof} {100 * share:.0f} %"))
    if arms:
        text = (
            "the model's moment arms are not those that forces were calculated with: "
            f"{_worst(arms)} (rms)."
        )
        _warn(trial, text, "arms-differ")
    if moments:
        text = (
            "inverse dynamics of this motion and these external loads are not the measured "
            f"moments: {_worst(moments)} of the peak (rms). Give the motion, the filter and the "
            "external loads that the moments come from."
        )
        _warn(trial, text, "moments-differ")


def _at(time: FloatArray, known: FloatArray, values: FloatArray) -> FloatArray:
    result: FloatArray = np.interp(time, known, values)
    return result


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _worst(found: list[tuple[float, str]]) -> str:
    found = sorted(found, reverse=True)
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ", ".join(text for _, text in found[:5]) + more


def _warn(trial: Trial, text: str, code: str) -> None:
    warnings.warn(CeinmsTorchWarning(f"trial {trial.name}: {text}", code), stacklevel=4)
