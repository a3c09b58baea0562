"""Execution files."""

import pytest

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.model.execution import Execution, Hybrid
from ceinms_torch.model.nms_model import SimulatedAnnealing, Tendon
from helpers import edit, line_with, write_tiny_folder

ANNEALING = SimulatedAnnealing(
    no_epsilon=4, rt=0.3, temperature=20.0, ns=15, nt=5, epsilon=1e-3, max_no_eval=200000
)
HYBRID = (
    "<hybrid><alpha>1</alpha><beta>2</beta><gamma>0.5</gamma><synthMTUs/>"
    "<adjustMTUs>soleus_r gasmed_r</adjustMTUs><algorithm><simulatedAnnealing>"
    "<noEpsilon>4</noEpsilon><rt>0.3</rt><T>20</T><NS>15</NS><NT>5</NT><epsilon>1E-3</epsilon>"
    "<maxNoEval>200000</maxNoEval></simulatedAnnealing></algorithm></hybrid>"
)


def test_open_loop(tiny_folder):
    execution = Execution.read(tiny_folder / "execution.xml")
    assert (execution.type, execution.activation, execution.online) == (
        "openLoop",
        "exponential",
        False,
    )
    assert execution.tendon == Tendon(kind="stiff")
    assert execution.hybrid is None


def test_hybrid(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", mode="online", type_xml=HYBRID)
    execution = Execution.read(folder / "execution.xml")
    assert execution.online
    assert execution.hybrid == Hybrid(
        alpha=1.0,
        beta=2.0,
        gamma=0.5,
        adjust_mtus=("soleus_r", "gasmed_r"),
        algorithm=ANNEALING,
    )


def test_dof_set_of_later_versions_is_optional(tmp_path):
    type_xml = HYBRID.replace("<synthMTUs/>", "<dofSet>knee_angle_r</dofSet><synthMTUs/>")
    folder = write_tiny_folder(tmp_path / "tiny", mode="online", type_xml=type_xml)
    assert Execution.read(folder / "execution.xml").hybrid.dof_set == ("knee_angle_r",)


def test_names_of_the_manual_are_explained(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", mode="online", type_xml=HYBRID)
    path = folder / "execution.xml"
    edit(path, "adjustMTUs>", "trackedMuscles>", 2)
    with pytest.raises(FileFormatError) as caught:
        Execution.read(path)
    assert caught.value.where.line == line_with(path, "trackedMuscles")
    assert "expected <adjustMTUs> at this place, got <algorithm>" in str(caught.value)


def test_round_trip(tmp_path):
    path = tmp_path / "execution.xml"
    execution = Execution(
        type="hybrid",
        tendon=Tendon(kind="equilibriumElastic", tolerance=1e-7),
        activation="piecewise",
        online=True,
        elaborated_dofs=("knee_angle_r",),
        hybrid=Hybrid(
            alpha=1 / 3,
            beta=0.0,
            gamma=5.0,
            dof_set=("ankle_angle_r", "knee_angle_r"),
            synth_mtus=("a",),
            algorithm=ANNEALING,
        ),
        path=path,
    )
    execution.write(path)
    assert Execution.read(path) == execution


def test_type_and_settings_belong_together():
    with pytest.raises(OptionError, match="type: expected one of openLoop, got 'hybrid'"):
        Execution(type="hybrid", tendon=Tendon(kind="stiff"))
    with pytest.raises(OptionError, match="alpha: expected a finite number"):
        Hybrid(alpha=float("inf"), beta=0.0, gamma=0.0, algorithm=ANNEALING)


def test_reference_executions(shared_dir):
    files = [*shared_dir.rglob("execution*.xml")]
    assert len(files) > 10
    for file in files:
        execution = Execution.read(file)
        assert ("hybrid" in file.stem or "so" in file.stem.split("_")) == (
            execution.hybrid is not None
        )
