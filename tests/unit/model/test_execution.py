"""Execution files."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import FileFormatError, OptionError
from ceinms_torch.io.grammar import load_grammar
from ceinms_torch.io.xml_document import read_document
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


@given(order=st.permutations(range(7)), dofs=st.sampled_from(["", "knee_angle_r", "all of them"]))
def test_order_inside_hybrid_is_free(tmp_path_factory, order, dofs):
    path = tmp_path_factory.mktemp("order") / "execution.xml"
    parts = [*re.findall(r"<(?:alpha|beta|gamma|synth|adjust).*?(?:/>|</\w+>)", HYBRID)]
    parts.append(HYBRID[HYBRID.index("<algorithm>") : HYBRID.index("</hybrid>")])
    parts.append(f"<dofSet>{dofs}</dofSet>" if dofs else "")
    path.write_text(
        f"<execution><NMSmodel><type><hybrid>{''.join(parts[i] for i in order)}</hybrid></type>"
        "<tendon><stiff/></tendon><activation><exponential/></activation></NMSmodel></execution>"
    )
    execution = Execution.read(path)
    assert execution.hybrid == Hybrid(
        alpha=1.0,
        beta=2.0,
        gamma=0.5,
        dof_set=tuple(dofs.split()),
        adjust_mtus=("soleus_r", "gasmed_r"),
        algorithm=ANNEALING,
    )
    # What is written is in the order that CEINMS 0.9 asks for.
    execution.write(path)
    again = read_document(path, "execution")
    names = [child.tag for child in again.root.element.find("NMSmodel/type/hybrid")]
    assert names == [name for name in load_grammar("execution").content["hybrid"] if name in names]
    assert Execution.read(path).hybrid == execution.hybrid


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<synthMTUs/>", "", r"expected <synthMTUs> inside <hybrid>, got no such element\. Inside"),
        ("<beta>2</beta>", "<alpha>2</alpha>", r"got <alpha>\. Inside <hybrid>, in any order"),
    ],
)
def test_what_hybrid_lacks_or_has_twice_is_named(tmp_path, old, new, message):
    kind = HYBRID.replace(old, new)
    folder = write_tiny_folder(tmp_path / "tiny", mode="online", type_xml=kind)
    with pytest.raises(FileFormatError, match=message):
        Execution.read(folder / "execution.xml")


@pytest.mark.parametrize(("kind", "is_online"), [("<openLoop/>", False), (HYBRID, True)])
def test_file_that_does_not_say_online_or_offline(tmp_path, kind, is_online):
    path = write_tiny_folder(tmp_path / "tiny", type_xml=kind) / "execution.xml"
    edit(path, "<offline/>", "")
    execution = Execution.read(path)
    assert (execution.online, execution.is_online) == (None, is_online)
    execution.write(path)
    assert Execution.read(path) == execution
    assert dataclasses.replace(execution, online=not is_online).is_online is not is_online


def test_names_of_the_manual_are_explained(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", mode="online", type_xml=HYBRID)
    path = folder / "execution.xml"
    edit(path, "adjustMTUs>", "trackedMuscles>", 2)
    edit(path, "<synthMTUs/>", "<predictedMuscles/>")
    with pytest.raises(FileFormatError) as caught:
        Execution.read(path)
    line = line_with(path, "trackedMuscles")
    assert caught.value.where.line == line
    assert "expected <synthMTUs> or <adjustMTUs> inside <hybrid>, got no" in str(caught.value)
    assert caught.value.hint == (
        f"Line {line} has <predictedMuscles>, as the manual of CEINMS: write <synthMTUs>. "
        f"Line {line} has <trackedMuscles>, as the manual of CEINMS: write <adjustMTUs>."
    )


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
