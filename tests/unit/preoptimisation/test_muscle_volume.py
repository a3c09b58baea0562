"""Maximum isometric forces from height and mass."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError
from ceinms_torch.model.subject import Mtu, Subject
from ceinms_torch.preoptimisation.muscle_volume import (
    MUSCLES,
    leg_muscle_volume,
    scale_max_isometric_force,
)

PERSON = {"height": 1.70, "mass": 70.0}  # 47 * 1.70 * 70 + 1285 = 6878 cm^3
# Of gait2392, but what was not measured or on which sources disagree (`UNMEASURED` and more).
GAIT2392 = [
    "glut_med1",
    "glut_med2",
    "glut_med3",
    "glut_min1",
    "glut_min2",
    "glut_min3",
    "semimem",
    "semiten",
    "bifemlh",
    "bifemsh",
    "sar",
    "add_long",
    "add_brev",
    "add_mag1",
    "add_mag2",
    "add_mag3",
    "tfl",
    "pect",
    "grac",
    "glut_max1",
    "glut_max2",
    "glut_max3",
    "iliacus",
    "psoas",
    "quad_fem",
    "peri",
    "rect_fem",
    "vas_med",
    "vas_int",
    "vas_lat",
    "med_gas",
    "lat_gas",
    "soleus",
    "tib_post",
    "flex_dig",
    "flex_hal",
    "tib_ant",
    "per_brev",
    "per_long",
    "ext_dig",
    "ext_hal",
]
UNMEASURED = ("gem", "per_tert", "ercspn")
RAJAGOPAL = [
    "addbrev",
    "addlong",
    "addmagDist",
    "addmagIsch",
    "addmagMid",
    "addmagProx",
    "bflh",
    "bfsh",
    "edl",
    "ehl",
    "fdl",
    "fhl",
    "gaslat",
    "gasmed",
    "glmax1",
    "glmax2",
    "glmax3",
    "glmed1",
    "glmed2",
    "glmed3",
    "glmin1",
    "glmin2",
    "glmin3",
    "grac",
    "iliacus",
    "perbrev",
    "perlong",
    "piri",
    "psoas",
    "recfem",
    "sart",
    "semimem",
    "semiten",
    "soleus",
    "tfl",
    "tibant",
    "tibpost",
    "vasint",
    "vaslat",
    "vasmed",
]


def subject_of(*names, length=0.05, force=1000.0, **values):
    """Return a subject with these MTUs, all alike."""
    mtus = [
        Mtu(
            name=name,
            c1=-0.5,
            c2=-0.5,
            shape_factor=-1.5,
            optimal_fibre_length=length,
            pennation_angle=0.1,
            tendon_slack_length=0.2,
            max_isometric_force=force,
            em_delay=0.015,
            damping=0.1,
            percentage_change=0.15,
            **values,
        )
        for name in names
    ]
    return Subject(mtus=tuple(mtus), dofs=())


def forces(subject):
    """Return the maximum isometric forces [N]."""
    return [mtu.max_isometric_force for mtu in subject.mtus]


def test_volume_by_hand():
    assert leg_muscle_volume(**PERSON) == pytest.approx(6878.0, rel=1e-12)


def test_force_by_hand():
    # 0.0621 * 6878 cm^3 = 427.1238 cm^3, over 5 cm 85.42476 cm^2, times 60 N/cm^2
    scaled = scale_max_isometric_force(subject_of("soleus_r"), **PERSON)
    assert forces(scaled) == pytest.approx([5125.4856], rel=1e-12)
    weak = scale_max_isometric_force(subject_of("soleus_r"), **PERSON, specific_tension=30.0)
    assert forces(weak) == pytest.approx([5125.4856 / 2.0], rel=1e-12)


def test_parts_share_the_volume_as_in_the_reference():
    first, second = subject_of("per_brev_l", force=400.0), subject_of("per_long_l", force=900.0)
    reference = dataclasses.replace(first, mtus=first.mtus + second.mtus)
    # 4 : 9 by force and equal lengths; 0.0183 * 6878 = 125.8674 cm^3 in all
    scaled = scale_max_isometric_force(reference, **PERSON)
    area = 125.8674 / 5.0
    assert forces(scaled) == pytest.approx([60.0 * area * 4 / 13, 60.0 * area * 9 / 13], rel=1e-12)
    # The share is the reference's, the length is the subject's.
    mtus = tuple(dataclasses.replace(mtu, optimal_fibre_length=0.1) for mtu in reference.mtus)
    longer = dataclasses.replace(reference, mtus=mtus)
    halved = scale_max_isometric_force(longer, **PERSON, reference=reference)
    assert forces(halved) == pytest.approx([0.5 * force for force in forces(scaled)], rel=1e-12)


@pytest.mark.parametrize("stems", [GAIT2392, RAJAGOPAL])
@given(height=st.floats(1.4, 2.0), mass=st.floats(40.0, 120.0))
def test_both_models_by_name(stems, height, mass):
    """Whatever their parts, both legs have the volume of the muscles that the model names."""
    names = [stem + side for side in ("_r", "_l") for stem in stems]
    scaled = scale_max_isometric_force(subject_of(*names), height=height, mass=mass)
    model = [GAIT2392, RAJAGOPAL].index(stems)
    named = [muscle for muscle in MUSCLES.values() if model < len(muscle.names)]
    assert sum(len(muscle.names[model]) for muscle in named) == len(stems)
    shares = math.fsum(muscle.share for muscle in named)
    volume = math.fsum(force * 5.0 / 60.0 for force in forces(scaled))
    assert volume == pytest.approx(2.0 * shares * leg_muscle_volume(height, mass), rel=1e-12)


def test_shares_are_nearly_the_whole_leg():
    # 31 of the 35 muscles; what is left is small.
    assert 0.97 < math.fsum(muscle.share for muscle in MUSCLES.values()) < 0.99


def test_unmeasured_muscles_are_refused_by_name_or_kept():
    names = [f"{stem}_r" for stem in ("soleus", *UNMEASURED, "SOLEU")]
    subject = subject_of(*names)
    with pytest.raises(DataError, match=r"got gem_r, per_tert_r, ercspn_r, SOLEU_r\. Keep their"):
        scale_max_isometric_force(subject, **PERSON)
    kept = scale_max_isometric_force(subject, **PERSON, keep=names[1:])
    assert forces(kept) == [pytest.approx(5125.4856), *4 * [1000.0]]
    with pytest.raises(OptionError, match=r"name of an MTU, got 'gem'\. Did you mean 'gem_r'"):
        scale_max_isometric_force(subject, **PERSON, keep=["gem"])


def test_missing_parts_are_refused_by_name():
    expected = r"all parts .* got glut_max1_r \(without glut_max2_r\), glut_max3_r \(without"
    subject = subject_of("glut_max1_r", "glut_max3_r", "glut_max2_l")
    with pytest.raises(DataError, match=expected):
        scale_max_isometric_force(subject, **PERSON, keep=["glut_max2_l"])


def test_muscles_as_one():
    """A model may have one MTU for what others divide."""
    scaled = scale_max_isometric_force(subject_of("glmax_r", "add_mag_l"), **PERSON)
    areas = [share * 6878.0 / 5.0 for share in (0.1193, 0.0786)]
    assert forces(scaled) == pytest.approx([60.0 * area for area in areas], rel=1e-12)


def test_a_muscle_twice_is_refused_by_name():
    subject = subject_of("per_brev_r", "per_long_r", "perbrev_r", "perlong_r", "perlong_l")
    with pytest.raises(DataError, match=r"every muscle once.* got perbrev_r, perlong_r\. Keep"):
        scale_max_isometric_force(subject, **PERSON, keep=["perlong_l"])


def test_capitals_do_not_matter():
    scaled = scale_max_isometric_force(subject_of("Soleus_R"), **PERSON)
    assert forces(scaled) == pytest.approx([5125.4856])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 170.0}, r"height: expected 0.5 to 2.5 m, got 170. 1.80 is 180 cm"),
        ({"height": math.nan}, "height: .* got nan"),
        ({"mass": 0.0}, "mass: expected 5 to 350 kg, got 0"),
        ({"mass": -70.0}, "mass: .* got -70"),
        ({"mass": 70000.0}, "mass: .* got 70000"),
        ({"specific_tension": 6e5}, r"specific tension: expected 10 to 200 N/cm\^2, got 600000"),
    ],
)
def test_no_person_is_like_this(change, message):
    with pytest.raises(OptionError, match=message):
        scale_max_isometric_force(subject_of("soleus_r"), **{**PERSON, **change})


def test_reference_with_other_mtus():
    with pytest.raises(DataError, match="reference's MTUs tib_ant_r, got soleus_r"):
        scale_max_isometric_force(
            subject_of("soleus_r"), **PERSON, reference=subject_of("tib_ant_r")
        )


def test_calibrated_strength_is_said():
    subject = subject_of("soleus_r", strength_coefficient=1.3)
    with pytest.warns(CeinmsTorchWarning, match=r"strengthCoefficient .* soleus_r \(1.3\)"):
        scale_max_isometric_force(subject, **PERSON)
