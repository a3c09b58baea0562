"""Which excitations were recorded, and which synergies shall make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ceinms_torch.arrays import BoolArray, FloatArray
from ceinms_torch.errors import DataError, OptionError, Place, did_you_mean
from ceinms_torch.model.anatomy import missing_actions
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.synergy_hybrid import SynergyHybrid


@dataclass(frozen=True, kw_only=True, eq=False)
class Channels:
    """The recorded excitations that synergies reconstruct, and those that they synthesise.

    One electrode often drives several MTUs, or shares of it do. Its recording counts once: of all
    recorded excitations those are tracked that are independent of one another, first those of a
    single electrode. Every other recorded excitation is a sum of these.

    Parameters
    ----------
    mtu_names : tuple of str
        MTUs of the subject.
    tracked : tuple of int
        For every channel the MTU whose excitation it is.
    mixing : ndarray (n_mtu, n_channel)
        Recorded excitations as sums of channels; rows of zeros for all other MTUs.
    synthesised : tuple of int
        MTUs whose excitation synergies make.
    """

    mtu_names: tuple[str, ...]
    tracked: tuple[int, ...]
    mixing: FloatArray
    synthesised: tuple[int, ...]

    @classmethod
    def of(
        cls,
        trials: Sequence[Trial],
        generator: ExcitationGenerator,
        synergy_hybrid: SynergyHybrid,
        dofs: Sequence[str],
    ) -> Self:
        """Tell recorded excitations from those to synthesise.

        Parameters
        ----------
        trials : sequence of Trial
            All of one subject.
        generator : ExcitationGenerator
            Which signals drive which MTU.
        synergy_hybrid : SynergyHybrid
            What to synthesise.
        dofs : sequence of str
            DOFs whose moments count.

        Returns
        -------
        Channels

        Raises
        ------
        DataError
            If nothing was recorded, a recording is zero throughout a trial, there is nothing to
            synthesise, or an MTU that is named to be synthesised acts on none of the DOFs.
        OptionError
            If `synthesise` names an unknown MTU.
        """
        names = trials[0].mtu_names
        is_recorded = np.array(generator.recorded(names))
        synthesised = _chosen(trials, dofs, is_recorded, generator, synergy_hybrid)
        is_recorded[list(synthesised)] = False
        if not is_recorded.any():
            raise DataError(
                where=Place(generator.path, element="<mapping>"),
                expected="at least one recorded excitation that synergies can be found in",
                got="none",
            )
        _check_signals(trials, names, is_recorded, generator)
        weights = generator.weights(names, generator.input_signals) * is_recorded[:, np.newaxis]
        tracked = _independent(weights)
        mixing = weights @ np.linalg.pinv(weights[list(tracked)])
        # What is one recording to the last digit shall be so after the pseudo-inverse, too.
        mixing[np.abs(mixing) < 1e-12] = 0.0
        return cls(mtu_names=names, tracked=tracked, mixing=mixing, synthesised=synthesised)

    @property
    def n_channel(self) -> int:
        """Number of recorded excitations that are tracked."""
        return len(self.tracked)

    @property
    def synthesised_names(self) -> tuple[str, ...]:
        """Names of the MTUs whose excitation synergies make."""
        return tuple(self.mtu_names[i] for i in self.synthesised)

    def by_mtu(self, weightings: FloatArray) -> FloatArray:
        """Return the weightings of every MTU.

        Parameters
        ----------
        weightings : ndarray (n_channel + n_synthesised, n_synergy)
            Of the channels, then of the synthesised MTUs.

        Returns
        -------
        ndarray (n_mtu, n_synergy)
            Zero for an MTU that is neither recorded nor synthesised.
        """
        result = self.mixing @ weightings[: self.n_channel]
        result[list(self.synthesised)] = weightings[self.n_channel :]
        return result


def uncalibrated_dofs(
    subject: Subject, synthesised: Iterable[str], calibrated: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return DOFs that nothing calibrates but synthesised MTUs act on.

    Parameters
    ----------
    subject : Subject
        Its DOFs with their MTUs.
    synthesised : iterable of str
        MTUs that synergies drive.
    calibrated : collection of str
        DOFs whose moments count in a step.

    Returns
    -------
    dict of str to tuple of str
        The synthesised MTUs by name of the DOF; also by axes of a leg, such as "hip adduction",
        that the subject lacks, where names tell that MTUs act about them.
    """
    made = tuple(synthesised)
    found = {
        dof.name: tuple(name for name in made if name in dof.mtu_names)
        for dof in subject.dofs
        if dof.name not in calibrated
    }
    return {dof: names for dof, names in found.items() if names} | missing_actions(
        made, subject.dof_names
    )


def _acting(trials: Sequence[Trial], dofs: Sequence[str]) -> BoolArray:
    """Return which MTUs have a moment arm about one of the DOFs, (n_mtu,)."""
    columns = [trials[0].dof_names.index(dof) for dof in dofs]
    acts = [np.any(trial.moment_arm[:, columns], axis=(0, 1)) for trial in trials]
    return np.asarray(np.any(acts, axis=0))


def _chosen(
    trials: Sequence[Trial],
    dofs: Sequence[str],
    is_recorded: BoolArray,
    generator: ExcitationGenerator,
    synergy_hybrid: SynergyHybrid,
) -> tuple[int, ...]:
    names = trials[0].mtu_names
    acts = _acting(trials, dofs)
    if synergy_hybrid.synthesise is None:
        # Others, such as those of the other leg, stay as silent as in an EMG-driven calibration.
        wanted = np.flatnonzero(~is_recorded & acts)
    else:
        for name in synergy_hybrid.synthesise:
            if name not in names:
                hint = did_you_mean(name, names)
                raise OptionError(
                    where="synthesise", expected="names of MTUs", got=f"'{name}'", hint=hint
                )
        wanted = np.flatnonzero([name in synergy_hybrid.synthesise for name in names])
        _check_idle([names[i] for i in wanted if not acts[i]])
    if not len(wanted):
        raise DataError(
            where=Place(generator.path, element="<mapping>"),
            expected='an MTU to synthesise, with an <excitation id="..."/> without inputs',
            got="none that acts on the step's DOFs",
            hint="calibrate without synergies, or name MTUs in <synthesise>",
        )
    return tuple(int(i) for i in wanted)


def _check_idle(idle: Sequence[str]) -> None:
    """Refuse to synthesise MTUs that no moment depends on: nothing tells their excitation."""
    if idle:
        raise DataError(
            where=f"excitation to synthesise of {', '.join(idle)}",
            expected="a moment arm about one of the step's DOFs, so that moments tell what it is",
            got="none in any trial",
            hint="leave the MTU out of <synthesise>, or add it to the mtuNameSet of a DOF",
        )


def _check_signals(
    trials: Sequence[Trial],
    names: tuple[str, ...],
    is_recorded: BoolArray,
    generator: ExcitationGenerator,
) -> None:
    for trial in trials:
        for i in np.flatnonzero(is_recorded & ~np.any(trial.excitation, axis=0)):
            raise DataError(
                where=Place(trial=trial.name),
                expected=f"a recorded excitation of {names[i]} that is not zero throughout",
                got="zeros",
                hint="if the electrode failed, leave its MTUs without <input> in "
                f"{generator.path or 'the excitation generator'}, so that synergies drive them",
            )


def _independent(weights: FloatArray) -> tuple[int, ...]:
    """Return rows that all others are sums of, those of single signals first."""
    n_signal = np.count_nonzero(weights, axis=1)
    chosen: list[int] = []
    rows: list[int] = np.flatnonzero(n_signal).tolist()
    for row in sorted(rows, key=lambda i: (n_signal[i], i)):
        if np.linalg.matrix_rank(weights[[*chosen, row]]) > len(chosen):
            chosen.append(row)
    return tuple(sorted(chosen))
