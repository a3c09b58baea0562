"""The legacy model against every digit that the CEINMS 0.9 program printed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError
from ceinms_torch.inputs.folder import RunFolder
from ceinms_torch.io.storage import read_storage
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.results.legacy import write_legacy
from ceinms_torch.simulation.legacy.run import LEGACY_FILES, simulate_legacy
from helpers import edit, run_legacy_folder, write_tiny_folder

COMMITTED = Path(__file__).resolve().parent.parent / "golden"
OPEN_LOOP = [
    f"{subject}_{tendon}_{mode}_{trial}"
    for subject in ("true", "uncal", "piecewise")
    for tendon in ("stiff", "elastic")
    for mode in ("offline", "online")
    for trial in ("trial1", "trial2")
]
# CEINMS prints six digits, so its rounding alone is up to 5e-6 of a value (for 1.00000).
RTOL = 5e-6


def run(folder, case):
    return run_legacy_folder(RunFolder.read(folder / f"run_{case}.xml", legacy=True))


def assert_prints_alike(series, folder, n_step=None):
    """Compare all files of a run with what the program printed."""
    names = {path.stem for path in folder.glob("*.sto")}
    assert names >= set(series) - {"AdjustedEmgs"}
    for name, got in series.items():
        printed = read_storage(folder / f"{name}.sto")
        expected = printed.select(got.columns)
        assert set(printed.columns) == set(got.columns)
        assert got.array.shape == expected.shape
        assert expected.shape[0] == n_step or n_step is None
        np.testing.assert_allclose(got.time, printed.time, rtol=RTOL, atol=1e-12)
        # Zeros are printed as such only where they are: the floor is a millionth of the last
        # digit of the largest value.
        floor = 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(got.array, expected, rtol=RTOL, atol=floor, err_msg=name)


@pytest.mark.parametrize("case", OPEN_LOOP)
def test_open_loop(golden_dir, case):
    result = run(golden_dir, case)
    assert set(result.series()) == set(LEGACY_FILES)
    assert result.failed == {}
    assert_prints_alike(result.series(), golden_dir / "expected" / f"run_{case}", 200)


@pytest.mark.parametrize("case", ["hybrid_stiff", "hybrid_elastic", "static_optimisation_stiff"])
def test_searched_excitations(golden_dir, case):
    result = run(golden_dir, case)
    assert set(result.series()) == {*LEGACY_FILES, "AdjustedEmgs"}
    assert_prints_alike(result.series(), golden_dir / "expected" / f"run_{case}", 200)


@pytest.mark.parametrize("trial", ["walk36_c02", "walk36_c05", "walk45_c08", "run81_c02"])
@pytest.mark.parametrize("tendon", ["stiff", "elastic"])
def test_recorded_gait(shared_dir, tendon, trial):
    folder = shared_dir / "data" / "lower_limb" / "ceinms"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}")
    subject = Subject.read(folder / "reference" / f"subjectCalibrated_{tendon}.xml")
    generator = ExcitationGenerator.read(folder / "excitationGenerator.xml")
    read = Trial.read(folder / "trials" / trial / "inputData.xml", subject, generator)
    kind = "stiff" if tendon == "stiff" else "equilibriumElastic"
    result = simulate_legacy(subject, read, tendon=Tendon(kind=kind))
    assert_prints_alike(result.series(), folder / "reference" / f"run_{tendon}_{trial}")


@pytest.mark.parametrize("case", ["uncal_elastic_online_trial1"])
def test_committed_case(case):
    result = run(COMMITTED, case)
    assert_prints_alike(result.series(), COMMITTED / "expected" / f"run_{case}", 60)


def test_comparison_sees_a_change_of_a_hundred_thousandth():
    read = RunFolder.read(COMMITTED / "run_uncal_elastic_online_trial1.xml", legacy=True)
    matrix = read.subject.parameters()
    matrix[5] *= 1.0 + 1e-5  # tendon slack length
    result = simulate_legacy(
        read.subject.with_parameters(matrix),
        read.trial,
        tendon=read.execution.tendon,
        online=True,
    )
    with pytest.raises(AssertionError, match="FiberLenghts"):
        assert_prints_alike(
            {"FiberLenghts": result.series()["FiberLenghts"]},
            COMMITTED / "expected" / "run_uncal_elastic_online_trial1",
        )


def test_files_are_the_same_byte_for_byte(golden_dir, tmp_path):
    write_legacy(run(golden_dir, "hybrid_stiff"), tmp_path)
    expected = golden_dir / "expected" / "run_hybrid_stiff"
    for path in expected.glob("*.sto"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
    assert (tmp_path / "FiberLengths.sto").read_bytes() == (
        tmp_path / "FiberLenghts.sto"
    ).read_bytes()


# ---- What CEINMS does silently is said, or refused --------------------------------------


HYBRID = """<hybrid><alpha>1</alpha><beta>2</beta><gamma>3</gamma><synthMTUs>{synth}</synthMTUs>
<adjustMTUs>{adjust}</adjustMTUs><algorithm><simulatedAnnealing><noEpsilon>2</noEpsilon><rt>0.3</rt>
<T>20</T><NS>2</NS><NT>2</NT><epsilon>1</epsilon><maxNoEval>50</maxNoEval></simulatedAnnealing>
</algorithm></hybrid>"""


def legacy_folder(path, **options):
    return RunFolder.read(write_tiny_folder(path, **options) / "setup.xml", legacy=True)


def test_frames_without_equilibrium_are_counted_and_said(tmp_path):
    folder = legacy_folder(tmp_path, tendon="<equilibriumElastic/>")
    matrix = folder.subject.parameters()
    column = folder.subject.mtu_index("gasmed_r")
    matrix[5, column] = 0.2  # half the length: strains of 100 %, no root between 0.2 and 2 lmo
    subject = folder.subject.with_parameters(matrix)
    with pytest.warns(CeinmsTorchWarning, match=r"no equilibrium .* gasmed_r \(30\)"):
        result = simulate_legacy(subject, folder.trial, tendon=folder.execution.tendon)
    assert result.failed == {"gasmed_r": 30}
    stiff = simulate_legacy(subject, folder.trial, tendon=Tendon(kind="stiff"))
    got, expected = (item.simulation.fibre_length["gasmed_r"] for item in (result, stiff))
    np.testing.assert_array_equal(got, expected)


def test_subject_without_curves_is_an_error(tmp_path):
    folder = legacy_folder(tmp_path, curves=False, tendon="<equilibriumElastic/>")
    with pytest.raises(DataError, match="tendonForceStrain, got none"):
        run_legacy_folder(folder)


@pytest.mark.parametrize("kind", ["integrationElastic", "rosenbrockElastic"])
def test_tendons_that_ceinms_does_not_run_are_refused(tmp_path, kind):
    folder = legacy_folder(tmp_path, tendon=f"<{kind}/>")
    with pytest.raises(OptionError, match=f"stiff, equilibriumElastic, got {kind}"):
        run_legacy_folder(folder)


def test_slow_emg_is_an_error(tmp_path):
    path = write_tiny_folder(tmp_path)
    text = (path / "trial1" / "emg.mot").read_text().split("\n")
    begin = next(i for i, line in enumerate(text) if line.startswith("time"))
    rows = [line for line in text[begin + 1 :] if line][::3]
    edit(path / "trial1" / "emg.mot", "nRows=109", f"nRows={len(rows)}")
    head = (path / "trial1" / "emg.mot").read_text().split("\n")[: begin + 1]
    (path / "trial1" / "emg.mot").write_text("\n".join([*head, *rows, ""]))
    with pytest.warns(CeinmsTorchWarning, match="slower"):
        folder = RunFolder.read(path / "setup.xml", legacy=True)
    with pytest.raises(DataError, match=r"an EMG row of its own .* none for the frame at 0\.0"):
        run_legacy_folder(folder)


def test_delays_of_other_mtus_are_ignored_and_said(tmp_path):
    folder = legacy_folder(tmp_path)
    before = run_legacy_folder(folder).simulation.activation.array
    matrix = folder.subject.parameters()
    matrix[9, 1] = 0.05  # emDelay
    subject = folder.subject.with_parameters(matrix)
    with pytest.warns(CeinmsTorchWarning, match="other values are ignored: gasmed_r"):
        result = simulate_legacy(subject, folder.trial, tendon=Tendon(kind="stiff"))
    np.testing.assert_array_equal(result.simulation.activation.array, before)


@pytest.mark.parametrize("kind", [one for one in PARAMETERS.values() if not one.in_ceinms])
@pytest.mark.parametrize("type_xml", ["<openLoop/>", HYBRID.format(synth="soleus_r", adjust="")])
def test_parameters_that_ceinms_lacks_are_refused(tmp_path, kind, type_xml):
    folder = legacy_folder(tmp_path, type_xml=type_xml, mode="online")
    matrix = folder.subject.parameters()
    matrix[PARAMETER_KINDS.index(kind.name), 1] = 1.2 * kind.default
    folder = dataclasses.replace(folder, subject=folder.subject.with_parameters(matrix))
    message = f"<{kind.name}>: expected {kind.default:g}, got other values of gasmed_r"
    with pytest.raises(DataError, match=message):
        run_legacy_folder(folder)


def test_hybrid_offline_is_refused(tmp_path):
    folder = legacy_folder(tmp_path, type_xml=HYBRID.format(synth="soleus_r", adjust=""))
    with pytest.raises(OptionError, match="expected <online/>, got <offline/>"):
        run_legacy_folder(folder)


@pytest.mark.parametrize(
    ("synth", "adjust", "wrong"),
    [("soleus_r", "soleus_r", "soleus_r"), ("soleus_x", "gasmed_r", "soleus_x")],
)
def test_searched_mtus_must_be_known_and_distinct(tmp_path, synth, adjust, wrong):
    type_xml = HYBRID.format(synth=synth, adjust=adjust)
    folder = legacy_folder(tmp_path, type_xml=type_xml, mode="online")
    with pytest.raises(DataError, match=f"at most once, got {wrong}"):
        run_legacy_folder(folder)


def test_hybrid_without_moments_is_an_error(tmp_path):
    type_xml = HYBRID.format(synth="soleus_r", adjust="gasmed_r")
    path = write_tiny_folder(tmp_path, type_xml=type_xml, mode="online")
    edit(
        path / "trial1" / "inputData.xml",
        "  <externalTorquesFile>id.sto</externalTorquesFile>\n",
        "",
    )
    with pytest.raises(DataError, match="measured moments, got none"):
        run_legacy_folder(RunFolder.read(path / "setup.xml", legacy=True))
