"""Maximum isometric force from muscle volumes, and those from height and mass.

Handsfield et al. (2014) measured 35 muscles of the leg in 24 young, healthy people by MRI. All of
them together have a volume that grows with height times mass, of which each takes a share.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, did_you_mean
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject

# Of contracting muscle [N/cm^2]: Rajagopal et al. (2016).
SPECIFIC_TENSION = 60.0

# Volume of all muscles of one leg [cm^3] over height [m] times mass [kg]: Handsfield et al. (2014).
_VOLUME_SLOPE = 47.0
_VOLUME_AT_ZERO = 1285.0

# What can be a person's, in the unit that is meant: centimetres and grams are not.
_HEIGHTS = (0.5, 2.5)
_MASSES = (5.0, 350.0)
_TENSIONS = (10.0, 200.0)


class Muscle(NamedTuple):
    """A muscle that was measured.

    Parameters
    ----------
    share : float
        Of the volume of all muscles of the leg [-].
    names : tuple of tuple of str
        What its parts are called, without side, in gait2392 and in Rajagopal et al.'s model; last,
        where these have parts, the muscle as one.
    """

    share: float
    names: tuple[tuple[str, ...], ...]


# Shares: Handsfield et al. (2014), supplement, as two public scripts for Rajagopal et al.'s model
# have them, alike. Two more scripts have the paper's regressions of each muscle, on the volume of
# all and on height times mass: for 1.70 m and 73 kg both give the same shares, to 3 %. The former
# two lack pectineus and quadratus femoris, whose shares here are confirmed by one of the latter,
# to 1 %. Obturators, gemelli and popliteus are left out, as no two sources agree.
MUSCLES = {
    "adductor brevis": Muscle(0.0147, (("add_brev",), ("addbrev",))),
    "adductor longus": Muscle(0.0226, (("add_long",), ("addlong",))),
    "adductor magnus": Muscle(
        0.0786,
        (
            ("add_mag1", "add_mag2", "add_mag3"),
            ("addmagDist", "addmagIsch", "addmagMid", "addmagProx"),
            ("add_mag",),
            ("addmag",),
        ),
    ),
    "biceps femoris, long head": Muscle(0.0292, (("bifemlh",), ("bflh",))),
    "biceps femoris, short head": Muscle(0.0140, (("bifemsh",), ("bfsh",))),
    "extensors of the toes": Muscle(0.0144, (("ext_dig", "ext_hal"), ("edl", "ehl"))),
    "flexor digitorum longus": Muscle(0.0043, (("flex_dig",), ("fdl",))),
    "flexor hallucis longus": Muscle(0.0109, (("flex_hal",), ("fhl",))),
    "gastrocnemius, lateral": Muscle(0.0211, (("lat_gas",), ("gaslat",))),
    "gastrocnemius, medial": Muscle(0.0362, (("med_gas",), ("gasmed",))),
    "gluteus maximus": Muscle(
        0.1193,
        (
            ("glut_max1", "glut_max2", "glut_max3"),
            ("glmax1", "glmax2", "glmax3"),
            ("glut_max",),
            ("glmax",),
        ),
    ),
    "gluteus medius": Muscle(
        0.0454,
        (
            ("glut_med1", "glut_med2", "glut_med3"),
            ("glmed1", "glmed2", "glmed3"),
            ("glut_med",),
            ("glmed",),
        ),
    ),
    "gluteus minimus": Muscle(
        0.0147,
        (
            ("glut_min1", "glut_min2", "glut_min3"),
            ("glmin1", "glmin2", "glmin3"),
            ("glut_min",),
            ("glmin",),
        ),
    ),
    "gracilis": Muscle(0.0146, (("grac",), ("grac",))),
    "iliacus": Muscle(0.0248, (("iliacus",), ("iliacus",))),
    "pectineus": Muscle(0.0092, (("pect",),)),
    "peronei": Muscle(0.0183, (("per_brev", "per_long"), ("perbrev", "perlong"))),
    "piriformis": Muscle(0.0061, (("peri",), ("piri",))),
    "psoas": Muscle(0.0380, (("psoas",), ("psoas",))),
    "quadratus femoris": Muscle(0.0045, (("quad_fem",),)),
    "rectus femoris": Muscle(0.0379, (("rect_fem",), ("recfem",))),
    "sartorius": Muscle(0.0229, (("sar",), ("sart",))),
    "semimembranosus": Muscle(0.0346, (("semimem",), ("semimem",))),
    "semitendinosus": Muscle(0.0260, (("semiten",), ("semiten",))),
    "soleus": Muscle(0.0621, (("soleus",), ("soleus",))),
    "tensor fasciae latae": Muscle(0.0089, (("tfl",), ("tfl",))),
    "tibialis anterior": Muscle(0.0191, (("tib_ant",), ("tibant",))),
    "tibialis posterior": Muscle(0.0149, (("tib_post",), ("tibpost",))),
    "vastus intermedius": Muscle(0.0384, (("vas_int",), ("vasint",))),
    "vastus lateralis": Muscle(0.1166, (("vas_lat",), ("vaslat",))),
    "vastus medialis": Muscle(0.0606, (("vas_med",), ("vasmed",))),
}
_KNOWN = {
    part.casefold(): (muscle, parts)
    for muscle, (_, names) in MUSCLES.items()
    for parts in names
    for part in parts
}


def leg_muscle_volume(height: float, mass: float) -> float:
    """Return the volume of all muscles of one leg.

    Parameters
    ----------
    height : float
        Of the subject [m].
    mass : float
        Of the subject [kg].

    Returns
    -------
    float
        [cm^3].

    Raises
    ------
    OptionError
        If height or mass cannot be a person's.

    References
    ----------
    Handsfield GG, Meyer CH, Hart JM, Abel MF, Blemker SS (2014). Relationships of 35 lower limb
    muscles to height and body mass quantified using MRI. J Biomech 47, 631-638.
    """
    _check("height", height, _HEIGHTS, "m", "1.80 is 180 cm")
    _check("mass", mass, _MASSES, "kg", "It is the mass of the whole body")
    return _VOLUME_SLOPE * height * mass + _VOLUME_AT_ZERO


def scale_max_isometric_force(
    subject: Subject,
    *,
    height: float,
    mass: float,
    specific_tension: float = SPECIFIC_TENSION,
    reference: Subject | None = None,
    keep: Collection[str] = (),
) -> Subject:
    """Return a subject whose maximum isometric forces follow from height and mass.

    The force is that of the muscle's cross-section: volume over optimal fibre length, times the
    specific tension. Parts of one muscle share its volume as they do in the reference, there in
    proportion to force times optimal fibre length. `strength_coefficient` stays as it is.

    Parameters
    ----------
    subject : Subject
        Legs, right (``_r``) or left (``_l``), with the names of gait2392 or of Rajagopal et al.'s
        model, upper or lower case; optimal fibre lengths are the subject's.
    height : float
        [m].
    mass : float
        [kg].
    specific_tension : float
        [N/cm^2].
    reference : Subject, optional
        The generic model with the same MTUs; by default the subject.
    keep : collection of str
        MTUs that keep their force.

    Returns
    -------
    Subject

    Raises
    ------
    OptionError
        If height, mass or specific tension is impossible, or `keep` names an unknown MTU.
    DataError
        If a muscle has no known volume, lacks some of its parts or is there twice, as a whole and
        in parts, unless it is kept; if subject and reference differ in their MTUs.

    Warns
    -----
    CeinmsTorchWarning
        If strength coefficients are not 1, so that they scale the new forces, too.

    References
    ----------
    Handsfield et al. (2014), see `leg_muscle_volume`.
    Rajagopal A, Dembia CL, DeMers MS, Delp DD, Hicks JL, Delp SL (2016). Full-body musculoskeletal
    model for muscle-driven simulation of human gait. IEEE Trans Biomed Eng 63, 2068-2079.
    """
    _check("specific tension", specific_tension, _TENSIONS, "N/cm^2")
    volume = leg_muscle_volume(height, mass)
    _check_kept(subject, keep)
    generic = subject if reference is None else reference
    if generic.mtu_names != subject.mtu_names:
        expected, got = ", ".join(generic.mtu_names), ", ".join(subject.mtu_names)
        raise DataError(where="subject", expected=f"the reference's MTUs {expected}", got=got)
    sizes = {mtu.name: mtu.max_isometric_force * mtu.optimal_fibre_length for mtu in generic.mtus}
    kept = set(keep)
    scaled = [name for name in subject.mtu_names if name not in kept]
    muscles = _parts_of_muscles(scaled, sizes)
    _warn_if_scaled_already(subject, scaled)

    values = subject.parameters()
    optimal_length = values[PARAMETER_KINDS.index("optimalFibreLength")]
    force = values[PARAMETER_KINDS.index("maxIsometricForce")]
    for name, (muscle, parts) in muscles.items():
        share = sizes[name] / math.fsum(sizes[part] for part in parts)
        i = subject.mtu_index(name)
        area = share * MUSCLES[muscle].share * volume / (100.0 * optimal_length[i])  # [cm^2]
        force[i] = specific_tension * area
    return subject.with_parameters(values)


def _check(
    name: str, value: float, limits: tuple[float, float], unit: str, hint: str | None = None
) -> None:
    if not limits[0] <= value <= limits[1]:
        expected = f"{limits[0]:g} to {limits[1]:g} {unit}"
        raise OptionError(where=name, expected=expected, got=f"{value:g}", hint=hint)


def _check_kept(subject: Subject, keep: Iterable[str]) -> None:
    for name in keep:
        if name not in subject.mtu_names:
            hint = did_you_mean(name, subject.mtu_names)
            raise OptionError(
                where="MTU to keep", expected="the name of an MTU", got=f"'{name}'", hint=hint
            )


def _parts_of_muscles(
    names: Iterable[str], all_names: Collection[str]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return by MTU its muscle and the MTUs, itself included, that share the muscle's volume."""
    by_folded = {name.casefold(): name for name in all_names}
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    divided: dict[tuple[str, str], tuple[str, ...]] = {}
    unknown, incomplete, twice = [], [], []
    for name in names:
        stem, side = _without_side(name)
        if stem not in _KNOWN:
            unknown.append(name)
            continue
        muscle, stems = _KNOWN[stem]
        missing = [part + side for part in stems if part.casefold() + side not in by_folded]
        if missing:
            incomplete.append(f"{name} (without {', '.join(missing)})")
        elif divided.setdefault((muscle, side), stems) != stems:
            twice.append(name)
        else:
            found[name] = muscle, tuple(by_folded[part.casefold() + side] for part in stems)
    for faulty, expected in (
        (unknown, "muscles of the leg with a known volume"),
        (incomplete, "all parts of a muscle, which share its volume"),
        (twice, "every muscle once, as a whole or in parts"),
    ):
        if faulty:
            names_of = "by their names in gait2392 or Rajagopal et al.'s model"
            hint = "Keep their forces as they are (keep, --keep-force), or rename them"
            raise DataError(
                where="MTUs", expected=f"{expected}, {names_of}", got=", ".join(faulty), hint=hint
            )
    return found


def _without_side(name: str) -> tuple[str, str]:
    folded = name.casefold()
    return (folded[:-2], folded[-2:]) if folded.endswith(("_r", "_l")) else (folded, "")


def _warn_if_scaled_already(subject: Subject, names: Collection[str]) -> None:
    odd = [
        f"{mtu.name} ({mtu.strength_coefficient:g})"
        for mtu in subject.mtus
        if mtu.name in names and not np.isclose(mtu.strength_coefficient, 1.0)
    ]
    if odd:
        text = (
            "Forces from muscle volumes are multiplied by strengthCoefficient as before, which is "
            f"not 1: {', '.join(odd)}. Start from a subject that was not calibrated."
        )
        warnings.warn(CeinmsTorchWarning(text), stacklevel=3)
