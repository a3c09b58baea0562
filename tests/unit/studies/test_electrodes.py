"""The study of electrodes: what is left of a model, what is kept on file, how few are enough."""

import dataclasses
import json

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.io.plain import plain, revived
from ceinms_torch.plots.electrodes import electrodes_figure
from ceinms_torch.studies import cells, electrodes
from ceinms_torch.studies.electrode_cells import EMG_DRIVEN, HYBRID, Cell
from ceinms_torch.studies.electrode_tables import distance, notes_of, recommend, rmse, tables_of
from ceinms_torch.studies.electrodes import ElectrodeOptions, ElectrodeStudy, study_electrodes
from ceinms_torch.synergies.electrodes import (
    normalised_parameters,
    put_back,
    recorded_plan,
    recorded_subject,
    recorded_trial,
    trial_with_electrodes,
    with_electrodes,
)
from helpers import MTU_NAMES, edit

SOLEUS, GASMED, RECFEM = (f"{name}_emg" for name in MTU_NAMES)
ELASTIC = "<rosenbrockElastic/>"


@pytest.fixture
def folder(tiny_folder):
    edit(tiny_folder / "calibration.xml", "<stiff/>", ELASTIC)
    return ct.CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")


# ---- What is left -----------------------------------------------------------------------


def test_an_mtu_of_two_electrodes_needs_both(tiny_folder):
    both = f'<input weight="0.5">{SOLEUS}</input><input weight="0.5">{GASMED}</input>'
    edit(tiny_folder / "excitationGenerator.xml", f'<input weight="1">{RECFEM}</input>', both)
    generator = ct.ExcitationGenerator.read(tiny_folder / "excitationGenerator.xml")
    assert with_electrodes(generator, [SOLEUS, GASMED]).recorded(MTU_NAMES) == (True, True, True)
    assert with_electrodes(generator, [SOLEUS]).recorded(MTU_NAMES) == (True, False, False)


def test_the_model_of_recorded_mtus(folder):
    generator = with_electrodes(folder.generator, [SOLEUS, GASMED])
    part = recorded_subject(folder.subject, generator)
    assert part.mtu_names == MTU_NAMES[:2]
    assert [dof.mtu_names for dof in part.dofs] == [("gasmed_r",), ("soleus_r", "gasmed_r")]
    trial = recorded_trial(folder.trials[0], part)
    # Moments are sums over MTUs: one that is silent and one that is not there differ by what it
    # bears passively, which for this one is its own moment alone.
    simulation = ct.simulate(part, trial)
    silent = ct.simulate(folder.subject, trial_with_electrodes(folder.trials[0], generator))
    np.testing.assert_allclose(
        simulation.mtu_force.array, silent.mtu_force.array[:, :2], rtol=1e-12
    )
    specs = {spec.kind: spec for spec in recorded_plan(folder.plan, part).steps[0].parameters}
    assert specs["strengthCoefficient"].groups == (("soleus_r", "gasmed_r"),)


def test_a_dof_without_mtus_does_not_count(folder):
    part = recorded_subject(folder.subject, with_electrodes(folder.generator, [SOLEUS]))
    assert recorded_plan(folder.plan, part).steps[0].dofs == ("ankle_angle_r",)
    result = ct.calibrate(
        part, [recorded_trial(one, part) for one in folder.trials], recorded_plan(folder.plan, part)
    )
    # Its moment is zero, and that is how wrong it is.
    knee = result.fit["trial1"]["knee_angle_r"]
    measured = folder.trials[0].measured_moment[:, 0]
    assert knee.rmse == pytest.approx(np.sqrt(np.mean(measured**2)))
    whole = put_back(folder.subject, result.subject)
    assert whole.mtus[0] == result.subject.mtus[0]
    assert whole.mtus[1:] == folder.subject.mtus[1:]


def test_parameters_relative_to_their_ranges(folder):
    result = ct.calibrate(folder.subject, folder.trials, folder.plan, method="lm")
    found = normalised_parameters(
        result.subject, folder.subject, folder.plan, ("tendonSlackLength", "strengthCoefficient")
    )
    step = result.steps[0]
    for component, x in zip(step.space.components, step.x, strict=True):
        for name in component.mtu_names:
            if component.kind in found:
                assert found[component.kind][name] == pytest.approx(x, abs=1e-9)
    assert set(found) == {"tendonSlackLength", "strengthCoefficient"}
    assert set(found["strengthCoefficient"]) == set(MTU_NAMES)


def test_parameters_begin_where_asked(folder):
    space = ParameterSpace.of(folder.subject, folder.plan.steps[0], folder.plan)
    x = np.random.default_rng(0).uniform(0.2, 0.8, len(space.components))
    elsewhere = space.subject_at(x)
    np.testing.assert_allclose(space.point_of(elsewhere), x, rtol=1e-9)
    generator = with_electrodes(folder.generator, [SOLEUS, GASMED])
    result = ct.calibrate(
        folder.subject,
        [trial_with_electrodes(trial, generator) for trial in folder.trials],
        dataclasses.replace(folder.plan, synergy_hybrid=ct.SynergyHybrid()),
        generator=generator,
        options=ct.Lbfgs(max_iterations=1),
        begin_at=elsewhere,
    )
    # One step leads away from there, but not back to the subject, from which x is 0.2 on average.
    assert np.abs(result.steps[0].x - x).mean() < 0.5 * np.abs(x - space.start()).mean()


# ---- Cells and their files --------------------------------------------------------------


def make_cell(folder, **changes):
    values = {
        "setup": folder.setup.path,
        "tests": (folder.plan.trial_files[1],),
        "kept": (GASMED, RECFEM, SOLEUS),
        "method": EMG_DRIVEN,
        "seed": 1,
        "starts": 2,
        "n_synergy": 2,
        "protocol": "multi-start",
    }
    return Cell(**(values | changes))


def test_with_all_electrodes_a_cell_is_a_calibration(folder, tmp_path):
    found = make_cell(folder).run(tmp_path / "cell.json")
    result = ct.calibrate(
        folder.subject, folder.trials, folder.plan, method="lm", starts=2, seed=1, start="random"
    )
    assert found["objective"] == pytest.approx(result.objective, rel=1e-12)
    assert found["fit"]["trial1"]["ankle_angle_r"]["rmse"] == pytest.approx(
        result.fit["trial1"]["ankle_angle_r"].rmse, rel=1e-9
    )
    assert found == json.loads((tmp_path / "cell.json").read_text())


def test_a_hybrid_cell_synthesises_what_was_withheld(folder, tmp_path):
    cell = make_cell(folder, kept=(GASMED, SOLEUS), method=HYBRID)
    found = cell.run(tmp_path / "cell.json")
    assert found["n_synergy"] == 2
    assert set(found["test"]) == {"synthesised", "refined"}
    for way in ("calibration", "synthesised", "refined"):
        assert set(found["withheld"][way]) == {"recfem_r"}
        assert 0.0 <= found["withheld"][way]["recfem_r"]["rmse"] <= 1.0
    refined, plain = (
        np.mean([one["rmse"] for one in found["test"][way]["trial2"].values()])
        for way in ("refined", "synthesised")
    )
    assert refined < plain


def test_names_of_files_depend_on_what_matters(folder, tmp_path):
    names = {
        cell.file(tmp_path, inputs).name
        for cell, inputs in (
            (make_cell(folder), {"a": "1"}),
            (make_cell(folder), {"a": "2"}),
            (make_cell(folder, starts=3), {"a": "1"}),
            (make_cell(folder, n_synergy=3), {"a": "1"}),
            (make_cell(folder, kept=(SOLEUS,)), {"a": "1"}),
        )
    }
    assert len(names) == 5
    moved = make_cell(folder, setup=tmp_path / "elsewhere.xml")
    assert moved.file(tmp_path, {"b": "1"}).name in names


def test_a_study_goes_on_where_it_stopped(folder, tmp_path, monkeypatch):
    options = ElectrodeOptions(counts=(2,), seeds=(0,), starts=1, n_synergy=2)
    seen = []

    def run(progress):
        return study_electrodes(folder, folder.setup.path, [], tmp_path, {}, options, progress)

    def interrupt(number, state):
        seen.append(state)
        if number == 5:  # what was known is counted first, so this is the fourth computed
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(interrupt)
    assert len(list((tmp_path / "cells").iterdir())) == 4
    computed = []
    compute = Cell.run
    monkeypatch.setattr(
        Cell, "run", lambda cell, file: computed.append(cell) or compute(cell, file)
    )
    first = run(lambda *_: None)
    # Three with two electrodes each, one with all three; EMG-driven with two is known by then.
    assert [cell.method for cell in computed] == [HYBRID]
    assert electrodes.n_calibrations(folder, options) == 3 + 3
    errors = [error for _, error in first.ranking]
    assert errors == sorted(errors)
    kept = {frozenset(cell["kept"]) for cell in first.cells if len(cell["kept"]) == 2}
    assert kept == {frozenset(first.electrodes[1:])}
    again = run(lambda *_: None)
    assert len(computed) == 1
    assert again == first


def test_what_cannot_be_studied(tiny_folder, folder, tmp_path):
    for counts, message in (((4,), "from 1 to 3, got 4"), ((0,), "from 1 to 3, got 0")):
        with pytest.raises(OptionError, match=message):
            electrodes.n_calibrations(folder, ElectrodeOptions(counts=counts))
    for name in (GASMED, RECFEM):
        edit(tiny_folder / "excitationGenerator.xml", f">{name}</input>", f">{SOLEUS}</input>")
    one = ct.CalibrationFolder.read(tiny_folder / "calibrationSetup.xml")
    with pytest.raises(DataError, match="at least two electrodes, got 1"):
        electrodes.n_calibrations(one, ElectrodeOptions())


def test_the_papers_protocol(folder, tmp_path):
    """Both by AdamW from the uncalibrated subject; EMG-driven once, as it has no random numbers."""
    options = ElectrodeOptions(counts=(2,), seeds=(0, 1), starts=1, n_synergy=2, protocol="paper")
    seen = []
    study = study_electrodes(
        folder, folder.setup.path, [], tmp_path, {}, options, lambda n, _: seen.append(n)
    )
    assert max(seen) == electrodes.n_calibrations(folder, options) == 3 + 1 + 1 + 2
    assert [(c["method"], c["seed"]) for c in study.cells if len(c["kept"]) == 2] == [
        (EMG_DRIVEN, 0),
        (HYBRID, 0),
        (HYBRID, 1),
    ]
    whole = study.cells[0]
    result = ct.calibrate(folder.subject, folder.trials, folder.plan, method="adamw")
    assert whole["objective"] == pytest.approx(result.objective, rel=1e-12)
    generator = with_electrodes(folder.generator, study.kept(2))
    hybrid = ct.calibrate(
        folder.subject,
        [trial_with_electrodes(trial, generator) for trial in folder.trials],
        dataclasses.replace(folder.plan, synergy_hybrid=ct.SynergyHybrid(n_synergy=2)),
        generator=generator,
        method="adamw",
        seed=1,
    )
    assert study.cells[-1]["objective"] == pytest.approx(hybrid.objective, rel=1e-12)
    text = " ".join(notes_of(study, None))
    assert "by AdamW from the uncalibrated subject, as in the paper" in text
    own = distance(study)
    means = [np.mean(study.values(2, method, own)) for method in (EMG_DRIVEN, HYBRID)]
    holds = (
        "holds here: they do at 1" if means[1] < means[0] else "does not hold here: they do at 0"
    )
    assert f"{holds} of 1 counts" in text


def test_the_papers_protocol_has_one_start():
    with pytest.raises(OptionError, match="starts: expected 1, with the paper's protocol, got 8"):
        ElectrodeOptions(protocol="paper")


# ---- What is made of them ---------------------------------------------------------------


def made_up(test_rmse):
    """Two electrodes, three seeds; errors on test trials by (count, way)."""
    cells = []
    for (count, way), error in test_rmse.items():
        method = EMG_DRIVEN if way == "recorded" else HYBRID
        for seed in range(3):
            figures = {"rmse": error + 0.01 * seed, "r2": 0.5, "r2_correlation": 0.5}
            cells.append(
                {
                    "kept": ["a", "b"][:count],
                    "method": method,
                    "seed": seed,
                    "seconds": 1.0,
                    "objective": float(seed),
                    "n_synergy": None if method == EMG_DRIVEN else 1,
                    "fit": {"walk": {"knee": figures}},
                    "test": {way: {"run": {"knee": figures}}},
                    "withheld": {},
                    "parameters": {"tendonSlackLength": {"m": 0.5 + 0.1 * count, "n": 0.25}},
                }
            )
    return ElectrodeStudy(
        electrodes=("b", "a"),
        ranking=(("b", 1.0), ("a", 2.0)),
        recorded={2: ("m", "n"), 1: ("n",)},
        cells=tuple(cells),
    )


@pytest.mark.parametrize(
    ("errors", "margin", "expected"),
    [
        ((10.0, 12.0, 11.0), 0.2, (1, "synthesised")),
        ((10.0, 12.0, 11.5), 0.1, (2, "recorded")),
        ((10.0, 9.0, 11.5), 0.0, (1, "recorded")),
    ],
)
def test_recommendation(errors, margin, expected):
    ways = [(2, "recorded"), (1, "recorded"), (1, "synthesised")]
    study = made_up(dict(zip(ways, errors, strict=True)))
    found = recommend(study, margin)
    assert (len(found.electrodes), found.way) == expected
    assert found.all_rmse == pytest.approx(10.01)
    assert found.rmse <= (1.0 + margin) * found.all_rmse
    assert f"Enough: {expected[0]} of 2" in notes_of(study, found)[-1]


def test_tables_and_figure_of_a_study_on_file():
    study = made_up({(2, "recorded"): 10.0, (1, "recorded"): 12.0, (1, "synthesised"): 8.0})
    again = revived(ElectrodeStudy, json.loads(json.dumps(plain(study))))
    tables = {table.title.split(",")[0]: table for table in tables_of(again)}
    full, row = tables["moment RMSE of calibration trials [N m]"].rows
    assert row[:4] == (1, 1, "12 ± 0.01", "8.01 ± 0.01")
    assert row[4].endswith(" t *")
    assert full[3:] == (None, None)  # nothing to synthesise
    cell = next(one for one in study.cells if len(one["kept"]) == 1)
    assert rmse(cell) == pytest.approx(12.0)
    assert distance(study)(cell) == pytest.approx(0.05)
    assert distance(study, removed_only=True)(cell) == pytest.approx(0.1)
    assert len(electrodes_figure(again).axes) == 6


def test_no_recommendation_without_test_trials():
    study = made_up({(2, "recorded"): 10.0})
    bare = [{**cell, "test": {"recorded": {}}} for cell in study.cells]
    study = dataclasses.replace(study, cells=tuple(bare))
    with pytest.raises(OptionError, match="test trials"):
        recommend(study, 0.1)
    assert "test trials" not in " ".join(table.title for table in tables_of(study))


@pytest.mark.parametrize("text", ["[]", "{}", "3", "null", '{"sha256": ""}', "{half"])
def test_a_broken_cell_is_computed_again(folder, tmp_path, text):
    file = tmp_path / "cell.json"
    found = make_cell(folder).run(file)
    assert cells.read_cell(file) == found
    file.write_text(json.dumps({**found, "objective": 1.0}))
    assert cells.read_cell(file) is None
    file.write_text(text)
    assert cells.read_cell(file) is None
