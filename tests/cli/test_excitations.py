"""``ceinms-torch run`` on a hybrid execution file, as users run it, without torch."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from ceinms_torch.io.storage import read_storage
from ceinms_torch.results.trials import STORAGE_FILES
from command_line import run_command
from helpers import ANNEALING, edit, write_tiny_folder

HYBRID = f"""<hybrid><alpha>1</alpha><beta>2</beta><gamma>3</gamma><synthMTUs>recfem_r</synthMTUs>
<adjustMTUs>soleus_r gasmed_r</adjustMTUs><algorithm>{ANNEALING}</algorithm></hybrid>"""


LATER = {
    "TendonLengths.sto",
    "NormTendonLengths.sto",
    "MusclesContribution.sto",
    "ObjectiveFunctionComponentsAndWeightings.sto",
}


def hybrid_folder(path, **options):
    return write_tiny_folder(path, **{"type_xml": HYBRID, "mode": "online", **options})


@pytest.mark.parametrize("tendon", ["stiff", "equilibriumElastic"])
def test_all_frames_at_once(tmp_path, tendon):
    folder = hybrid_folder(tmp_path / "subject", tendon=f"<{tendon}/>")
    done = run_command("run", folder / "setup.xml", without_torch=tmp_path / "poison")
    assert done.returncode == 0, done.stderr
    output = folder / "output"
    assert {path.name for path in output.iterdir()} == {
        *STORAGE_FILES.values(),
        *LATER,
        "AdjustedEmgs.sto",
        "result.json",
    }
    used = read_storage(output / "AdjustedEmgs.sto")
    assert used.values.min() >= 0.0
    assert used.values.max() <= 1.0
    said = json.loads((output / "result.json").read_text())
    assert said["weights"] == {"alpha": 1.0, "beta": 2.0, "gamma": 3.0}
    assert said["dofs"] == ["knee_angle_r", "ankle_angle_r"]
    assert sum(said["weighted_terms"].values()) == pytest.approx(said["objective"], rel=1e-12)
    rmse = {
        name: np.sqrt(np.mean([one["rmse"] ** 2 for one in dofs.values()]))
        for name, dofs in said["fit"].items()
    }
    assert rmse["adjusted"] < rmse["recorded"]
    moment = said["terms"]["moment_N2m2"]
    assert rmse["adjusted"] == pytest.approx(np.sqrt(moment / (2 * len(used.time))), rel=1e-9)
    components = read_storage(output / "ObjectiveFunctionComponentsAndWeightings.sto")
    assert components.columns == ("moment", "effort", "tracking", "alpha", "beta", "gamma")
    total = np.sum(components.values[:, :3] * components.values[:, 3:])
    assert total == pytest.approx(said["objective"], rel=1e-9)
    for text in ("recorded", "adjusted", "tracking", said["status_message"][:10]):
        assert text in done.stdout


def test_weights_chosen(tmp_path):
    folder = hybrid_folder(tmp_path / "subject")
    done = run_command("run", folder / "setup.xml", "--weights", "auto", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / "out" / "result.json").read_text())
    chosen = said["chosen_weight"]
    assert chosen["name"] == "gamma"
    rows = list(csv.reader((tmp_path / "out" / "weights.csv").read_text().splitlines()))
    assert rows[0][:2] == ["gamma/alpha [N^2 m^2]", "moment RMSE [N m]"]
    assert float(rows[3][0]) == pytest.approx(said["weights"]["gamma"], rel=1e-8)
    assert float(rows[3][1]) <= chosen["allowed_moment_rmse_Nm"]
    assert "gamma chosen" in done.stdout


def test_selected_dofs(tmp_path):
    folder = hybrid_folder(tmp_path / "subject")
    edit(
        folder / "execution.xml",
        "  <online/>\n",
        "  <online/>\n  <elaboratedDoFs>ankle_angle_r</elaboratedDoFs>\n",
    )
    done = run_command("run", folder / "setup.xml", "-q")
    assert done.returncode == 0, done.stderr
    said = json.loads((folder / "output" / "result.json").read_text())
    assert said["dofs"] == ["ankle_angle_r"]
    parts = read_storage(folder / "output" / "MusclesContribution.sto")
    moments = read_storage(folder / "output" / "Torques.sto")
    assert parts.columns == ("soleus_r_ankle_angle_r", "gasmed_r_ankle_angle_r")
    total = parts.values.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(total, moments.select(("ankle_angle_r",)), rtol=1e-9, atol=1e-9)
    edit(folder / "execution.xml", ">ankle_angle_r<", ">ankle_angle_l<")
    done = run_command("run", folder / "setup.xml")
    assert done.returncode == 1
    assert "got ankle_angle_l" in done.stderr


def test_legacy_model_by_gradients(tmp_path):
    folder = hybrid_folder(
        tmp_path / "subject", tendon="<equilibriumElastic/>", activation="piecewise"
    )
    done = run_command(
        "run",
        folder / "setup.xml",
        "--legacy",
        "--solver",
        "gradient",
        without_torch=tmp_path / "poison",
    )
    assert done.returncode == 0, done.stderr
    used = read_storage(folder / "output" / "AdjustedEmgs.sto")
    assert used.values.min() >= 0.0
    assert used.values.max() <= 1.0


@pytest.mark.parametrize(
    ("type_xml", "arguments", "message"),
    [
        (HYBRID, ("--solver", "annealing"), "--solver: expected gradient, without --legacy"),
        (HYBRID, ("--legacy", "--weights", "auto"), "--weights: expected file, with --legacy"),
        ("<openLoop/>", ("--weights", "auto"), "expected an execution file with <hybrid>"),
        ("<openLoop/>", ("--legacy", "--solver", "gradient"), "expected an execution file with"),
        (HYBRID.replace("soleus_r ", "recfem_r "), (), "at most once, got recfem_r"),
        (HYBRID.replace("<alpha>1<", "<alpha>0<"), (), "alpha: expected a positive number"),
    ],
)
def test_what_is_refused(tmp_path, type_xml, arguments, message):
    folder = hybrid_folder(tmp_path / "subject", type_xml=type_xml)
    done = run_command("run", folder / "setup.xml", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder / "output").exists()


def test_moments_are_needed(tmp_path):
    folder = hybrid_folder(tmp_path / "subject")
    edit(
        folder / "trial1" / "inputData.xml",
        "  <externalTorquesFile>id.sto</externalTorquesFile>\n",
        "",
    )
    done = run_command("run", folder / "setup.xml")
    assert done.returncode == 1
    assert "measured moments, got none" in done.stderr


def test_search_loads_neither_scipy_nor_calibrations(tmp_path):
    """BLAS would spin threads over vectors of a few hundred; calibrations take longer to load."""
    folder = hybrid_folder(tmp_path / "subject")
    code = (
        "import sys; from ceinms_torch.cli.entry import ceinms_torch\n"
        f"sys.argv = ['ceinms-torch', 'run', {str(folder / 'setup.xml')!r}]\n"
        "status = ceinms_torch()\n"
        "heavy = ('scipy', 'torch', 'ceinms_torch.calibration', 'ceinms_torch.synergies')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
