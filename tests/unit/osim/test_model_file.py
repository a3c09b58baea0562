"""OpenSim models read without OpenSim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, UnknownNameError
from ceinms_torch.osim.model_file import MUSCLE_CLASSES, read_model
from small_lab import MARKERS, MASS, MUSCLES, model_text


def written(tmp_path, text):
    path = tmp_path / "model.osim"
    path.write_text(text)
    return path


@pytest.mark.parametrize("version", [20302, 30000, 40000, 40500])
def test_all_versions_say_the_same(tmp_path, version):
    model = read_model(written(tmp_path, model_text(version)))
    assert model.version == version
    assert model.mass == pytest.approx(MASS, abs=1e-12)
    assert dict(model.markers) == MARKERS
    for name, (fibre, tendon, angle, force, kind, bodies) in MUSCLES.items():
        muscle = model.muscle(name)
        assert muscle.kind == kind
        assert muscle.bodies == bodies
        assert muscle.max_contraction_velocity == 10.0
        read = (muscle.optimal_fibre_length, muscle.tendon_slack_length, muscle.pennation_angle)
        assert (*read, muscle.max_isometric_force) == (fibre, tendon, angle, force)
    motions = {one.name: one.motion for one in model.coordinates}
    assert motions["pelvis_tx"] == "translational"
    assert motions["pelvis_tilt"] == motions["knee_angle_r"] == "rotational"
    assert model.coordinates_of("gasmed_r") == ("knee_angle_r", "ankle_angle_r")
    assert model.coordinates_of("soleus_r") == ("ankle_angle_r",)
    across = [name for name, one in MUSCLES.items() if "pelvis" in one[-1]]
    assert model.muscles_across(["knee_angle_r"]) == tuple(across)
    assert model.bodies_beyond("tibia_r") == ("tibia_r", "calcn_r")


@pytest.mark.parametrize("version", [30000, 40000])
@pytest.mark.parametrize(("scale", "is_scaled"), [("1 1 1", False), ("1 1 1.02", True)])
def test_scaled_models_have_bones_of_another_size(tmp_path, version, scale, is_scaled):
    assert read_model(written(tmp_path, model_text(version, scale))).is_scaled is is_scaled


def test_what_muscles_leave_out_is_in_defaults_or_opensims(tmp_path):
    removed = "<tendon_slack_length>0.25</tendon_slack_length>"
    text = model_text().replace(removed, "")
    with pytest.warns(
        CeinmsTorchWarning, match="2 of 6 muscles have no <tendon_slack_length>.*0.2"
    ):
        model = read_model(written(tmp_path, text))
    assert model.muscle("soleus_l").tendon_slack_length == 0.2
    default = (
        '<defaults><Thelen2003Muscle name="default"><tendon_slack_length>0.24</tendon_slack_length>'
        "</Thelen2003Muscle></defaults>"
    )
    text = text.replace('<Model name="small">', f'{default}<Model name="small">')
    with pytest.warns(CeinmsTorchWarning, match="1 of 6 muscles.*soleus_r"):
        model = read_model(written(tmp_path, text))
    assert model.muscle("soleus_l").tendon_slack_length == 0.24


def test_switches_of_muscles(tmp_path):
    switches = {"isDisabled": "true", "appliesForce": "false"}
    for name, value in switches.items():
        text = model_text().replace(
            "<max_isometric_force>900.0<",
            f"<{name}>{value}</{name}><ignore_tendon_compliance>true</ignore_tendon_compliance>"
            "<max_isometric_force>900.0<",
        )
        model = read_model(written(tmp_path, text))
        assert [one.name for one in model.muscles if one.is_disabled] == ["bfsh_r", "tibant_r"]
        assert model.muscle("bfsh_r").has_stiff_tendon


def test_coordinates_that_follow_others_are_not_crossed(tmp_path):
    coupler = (
        '<ConstraintSet><objects><CoordinateCouplerConstraint name="c">'
        "<independent_coordinate_names>knee_angle_r</independent_coordinate_names>"
        "<dependent_coordinate_name>ankle_angle_r</dependent_coordinate_name>"
        "</CoordinateCouplerConstraint></objects></ConstraintSet>"
    )
    text = model_text().replace("<ForceSet>", f"{coupler}<ForceSet>")
    model = read_model(written(tmp_path, text))
    assert model.coordinate("ankle_angle_r").follows == "knee_angle_r"
    assert model.coordinates_of("soleus_r") == ("knee_angle_r",)
    assert not model.has_loops
    loop = text.replace("CoordinateCouplerConstraint", "PointConstraint")
    loop = loop.replace("<dependent_coordinate_name>ankle_angle_r</dependent_coordinate_name>", "")
    model = read_model(written(tmp_path, loop))
    assert model.has_loops
    assert len(model.muscles_across(["knee_angle_r"])) == len(MUSCLES)


@given(kind=st.from_regex(r"\A[A-Z][a-z]{2,8}(Muscle|Actuator)\Z"))
def test_muscles_of_an_unknown_class_are_named_with_their_line(tmp_path_factory, kind):
    if kind in (*MUSCLE_CLASSES, "PathActuator"):
        return
    text = model_text().replace('<Thelen2003Muscle name="soleus_l"', f'<{kind} name="soleus_l"')
    text = text.replace(
        "</Thelen2003Muscle>\n</objects><groups/></ForceSet>",
        f"</{kind}>\n</objects><groups/></ForceSet>",
    )
    path = written(tmp_path_factory.mktemp("model"), text)
    line = next(i for i, one in enumerate(text.splitlines(), 1) if 'name="soleus_l"' in one)
    with pytest.raises(
        FileFormatError, match=f"{path}:{line}: <{kind}>, soleus_l: .*{kind}"
    ) as found:
        read_model(path)
    assert found.value.code == "muscle-class"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "<optimal_fiber_length>0.06<",
            "<optimal_fiber_length>-0.06<",
            "gasmed_r: expected a number > 0, got -0.06",
        ),
        (
            "<optimal_fiber_length>0.06<",
            "<optimal_fiber_length>x<",
            "expected a finite number, got 'x'",
        ),
        (
            'name="bfsh_r"',
            'name="vasint_r"',
            "expected every muscle once, got 'vasint_r', as in line",
        ),
        ("Model", "Tool", "an OpenSim model, <OpenSimDocument> with <Model>"),
    ],
)
def test_faults_are_named(tmp_path, old, new, message):
    with pytest.raises(FileFormatError, match=message):
        read_model(written(tmp_path, model_text().replace(old, new)))


def test_names_are_looked_up(tmp_path):
    model = read_model(written(tmp_path, model_text()))
    with pytest.raises(UnknownNameError, match="Did you mean 'soleus_r'"):
        model.muscle("soleus_rr")
    with pytest.raises(UnknownNameError, match="Did you mean 'knee_angle_r'"):
        model.coordinate("knee_angl_r")


def test_models_of_the_reference_data(shared_dir):
    data = shared_dir / "data"
    walk = read_model(data / "walking_opensim" / "subject_walk_scaled.osim")
    assert (len(walk.muscles), len(walk.coordinates), walk.is_scaled) == (80, 33, True)
    assert walk.coordinates_of("gaslat_r") == ("knee_angle_r", "ankle_angle_r")
    assert walk.coordinate("knee_angle_r_beta").follows == "knee_angle_r"
    generic = read_model(data / "treadmill_full" / "gait2392.osim")
    assert (len(generic.muscles), generic.is_scaled) == (92, False)
    assert generic.mass == pytest.approx(75.1646, abs=1e-4)
    rows = (data / "lower_limb" / "hill_parameters_from_osim.csv").read_text().splitlines()
    header = rows[0].split(",")
    for row in rows[1:]:
        one = dict(zip(header, row.split(","), strict=True))
        muscle = generic.muscle(one["muscle"])
        assert muscle.optimal_fibre_length == pytest.approx(float(one["lom_m"]), rel=1e-6)
        assert muscle.tendon_slack_length == pytest.approx(float(one["lts_m"]), rel=1e-6)
    shoulder = read_model(data / "shoulder_raw" / "TSM_subject_noWeight.osim")
    assert (len(shoulder.muscles), shoulder.has_loops) == (33, True)
