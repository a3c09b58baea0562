"""Excitation generators: mapping by name, and what does not fit."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceinms_torch.errors import DataError, FileFormatError
from ceinms_torch.model.excitation_generator import Excitation, ExcitationGenerator
from helpers import MTU_NAMES, edit, line_with, write_tiny_folder

SIGNALS = ("soleus_r_emg", "gasmed_r_emg", "recfem_r_emg")


@pytest.fixture
def path(tiny_folder):
    return tiny_folder / "excitationGenerator.xml"


def test_order_of_mtus_and_signals_is_free(path):
    edit(
        path,
        '<input weight="1">gasmed',
        '<input weight="0.5">soleus_r_emg</input><input weight="2">gasmed',
    )
    generator = ExcitationGenerator.read(path)
    assert generator.input_signals == SIGNALS
    matrix = generator.weights(("gasmed_r", "soleus_r"), ("other", "gasmed_r_emg", "soleus_r_emg"))
    np.testing.assert_array_equal(matrix, [[0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])


def test_unrecorded_mtus_have_no_weights(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", unrecorded=("gasmed_r",))
    generator = ExcitationGenerator.read(folder / "excitationGenerator.xml")
    np.testing.assert_array_equal(generator.weights(MTU_NAMES, SIGNALS), np.diag([1.0, 0.0, 1.0]))
    assert generator.recorded(MTU_NAMES) == (True, False, True)


def test_weight_zero_is_not_recorded(path):
    edit(path, 'weight="1"', 'weight="0"')
    assert ExcitationGenerator.read(path).recorded(MTU_NAMES) == (False, True, True)


@pytest.mark.parametrize(
    ("old", "new", "marker", "message"),
    [
        (
            '"1">gasmed_r_emg',
            '"1">gasmed_emg',
            ">gasmed_emg",
            r"the name of one of the inputSignals, got 'gasmed_emg'. Did you mean 'gasmed_r_emg'\?",
        ),
        ('id="gasmed_r"', 'id="soleus_r"', "<excitation ", "every id once, got 'soleus_r' twice"),
        ('weight="1"', 'weight="INF"', "INF", "<input>: expected a finite number, got 'INF'"),
        ('EMG">', 'EMG">soleus_r_emg ', "inputSignals", "every signal once, got 'soleus_r_emg'"),
    ],
)
def test_faults_name_their_line(path, old, new, marker, message):
    edit(path, old, new)
    with pytest.raises(FileFormatError) as caught:
        ExcitationGenerator.read(path)
    assert re.search(message, str(caught.value))
    lines = [i for i, t in enumerate(path.read_text().split("\n"), start=1) if marker in t]
    assert caught.value.where.line in lines


def test_mtu_without_excitation(path):
    edit(path, 'id="gasmed_r"', 'id="gas_med_r"')
    generator = ExcitationGenerator.read(path)
    line = line_with(path, "<mapping>")
    expected = (
        rf"{path}:{line}: <mapping>: expected <excitation id=\"gasmed_r\">.*got none. "
        r"Did you mean 'gas_med_r'\?"
    )
    for ask in (generator.recorded, lambda names: generator.weights(names, SIGNALS)):
        with pytest.raises(DataError, match=expected):
            ask(MTU_NAMES)


def test_missing_signal_names_the_excitation(path):
    generator = ExcitationGenerator.read(path)
    line = line_with(path, 'id="gasmed_r"')
    with pytest.raises(
        DataError, match=rf":{line}: <excitation>: expected the signal 'gasmed_r_emg'"
    ):
        generator.weights(MTU_NAMES, SIGNALS[::2])
    made = ExcitationGenerator(
        input_signals=("a",), excitations=(Excitation(id="m", inputs=(("a", 1.0),)),)
    )
    with pytest.raises(DataError, match=r"^excitation: expected the signal 'a'.*got no signal"):
        made.weights(("m",), ())


def write_mapping(path, signals, inputs):
    """Write a mapping of MTUs m0, m1, ... with an input each."""
    excitations = "".join(
        f'<excitation id="m{i}"><input weight="1">{name}</input></excitation>'
        for i, name in enumerate(inputs)
    )
    path.write_text(
        f"<excitationGenerator><inputSignals>{signals}</inputSignals>"
        f"<mapping>{excitations}</mapping></excitationGenerator>"
    )
    return path


def test_names_with_blanks_are_known_by_the_inputs(tmp_path):
    names = ["Med Gas", "Tib Ant (R)", "Med"]
    path = write_mapping(tmp_path / "map.xml", "Med Gas Tib Ant  (R)\n Med Lat Gas", names)
    generator = ExcitationGenerator.read(path)
    # Nothing is driven by "Lat Gas", so nobody knows that it is one name.
    assert generator.input_signals == ("Med Gas", "Tib Ant (R)", "Med", "Lat", "Gas")
    matrix = generator.weights(("m0", "m1", "m2"), ("Med", "Tib Ant (R)", "Med Gas"))
    np.testing.assert_array_equal(matrix, np.eye(3)[::-1])


WORD = st.text("abcMRLéß(1)_-", min_size=1, max_size=4)
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)


@given(names=st.lists(NAME, min_size=1, max_size=6, unique=True), data=st.data())
def test_any_names_that_are_driven_are_found(tmp_path_factory, names, data):
    path = tmp_path_factory.mktemp("names") / "map.xml"
    inputs = data.draw(st.permutations(names))
    generator = ExcitationGenerator.read(write_mapping(path, " ".join(names), inputs))
    driven = [name for excitation in generator.excitations for name, _ in excitation.inputs]
    assert driven == inputs


@pytest.mark.parametrize("signals", ["eb, Med Gas, ef", '"eb" "Med Gas" "ef"', "eb;Med Gas; ef"])
def test_names_with_something_between_them(tmp_path, signals):
    path = write_mapping(tmp_path / "map.xml", signals.replace(";M", "; M"), ["ef", "Med Gas"])
    assert ExcitationGenerator.read(path).input_signals == ("eb", "Med Gas", "ef")
    path = write_mapping(tmp_path / "map.xml", "eb, ef", ["ef", "eb"])
    assert ExcitationGenerator.read(path).input_signals == ("eb", "ef")


def test_name_with_blanks_that_is_not_listed(tmp_path):
    path = write_mapping(tmp_path / "map.xml", "Med_Gas Tib", ["Med Gas", "Tib"])
    generator = ExcitationGenerator.read(path)
    np.testing.assert_array_equal(
        generator.weights(("m0", "m1"), ("Tib", "Med Gas")), [[0.0, 1.0], [1.0, 0.0]]
    )
    with pytest.raises(DataError, match=r"the signal 'Med Gas' among .*, got Tib, Med_Gas"):
        generator.weights(("m0", "m1"), ("Tib", "Med_Gas"))


def test_round_trip(path, tmp_path):
    generator = ExcitationGenerator(
        input_signals=("a", "b"),
        excitations=(
            Excitation(id="m1", inputs=(("b", 1 / 3), ("a", np.float64(1.0)))),
            Excitation(id="m2"),
        ),
        path=tmp_path / "new.xml",
    )
    generator.write(tmp_path / "new.xml")
    assert ExcitationGenerator.read(tmp_path / "new.xml") == generator


def test_reference_generators(shared_dir):
    files = sorted(shared_dir.rglob("excitationGenerator*.xml"))
    assert files
    for file in files:
        generator = ExcitationGenerator.read(file)
        assert len(generator.excitations) in (6, 12)
