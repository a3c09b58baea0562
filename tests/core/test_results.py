"""Results of every method, in memory and saved alike: figures, report, tables, further trials."""

import dataclasses
import json

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.plots.identifiability import certainty_class
from ceinms_torch.report.html import SECTIONS
from helpers import DOF_NAMES, MTU_NAMES, write_tiny_folder
from same import assert_same

# What a saved result does not have: where in which file something was read.
NOT_SAVED = {
    "path",
    "document",
    "trial_files",
    "sources",
    "line",
    "range_line",
    "label",
    "provenance",
}
QUICK = {
    "lm": ct.LevenbergMarquardt(max_iterations=4),
    "adamw": ct.AdamW(max_iterations=4),
    "lbfgs": ct.Lbfgs(max_iterations=4),
}


def by_gradient(folder, method):
    start = "random" if method == "lbfgs" else "subject"
    plan = folder.plan
    if method == "lm":  # two steps, one of them without an end at its bounds
        plan = dataclasses.replace(plan, steps=plan.steps * 2)
    return ct.calibrate(
        folder.subject,
        folder.trials[:2],
        plan,
        options=QUICK[method],
        polish=method == "adamw",
        start=start,
        starts=3 if method == "lm" else 1,
    )


def annealed(folder):
    plan = dataclasses.replace(folder.plan, tendon=ct.Tendon(kind="stiff"))
    return ct.calibrate(folder.subject, folder.trials[:2], plan, method="annealing")


def hybrid(folder):
    plan = dataclasses.replace(folder.plan, synergy_hybrid=ct.SynergyHybrid(n_synergy=2))
    return ct.calibrate(folder, folder.trials[:2], plan, options=QUICK["lbfgs"])


def by_own_loss(folder):
    return ct.calibrate_with_loss(
        folder.subject,
        folder.trials[:2],
        folder.plan,
        lambda state: state.objective() + 0.1 * state.simulation.activation.square().mean(),
        validation=folder.trials[2:3],
        options=QUICK["adamw"],
    )


METHODS = {
    **{name: lambda folder, name=name: by_gradient(folder, name) for name in QUICK},
    "annealing": annealed,
    "hybrid": hybrid,
    "own loss": by_own_loss,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A small subject twice: all MTUs recorded, and all but one."""
    path = tmp_path_factory.mktemp("results")
    made = {
        name: write_tiny_folder(path / name, tendon="<rosenbrockElastic/>", n_trial=4, **options)
        for name, options in (("all", {}), ("most", {"unrecorded": ("gasmed_r",)}))
    }
    return {
        name: ct.CalibrationFolder.read(one / "calibrationSetup.xml") for name, one in made.items()
    }


@pytest.fixture(scope="module", params=METHODS)
def results(request, folders, tmp_path_factory):
    """A result in memory, with a test trial, and the same saved and loaded."""
    folder = folders["most" if request.param == "hybrid" else "all"]
    result = METHODS[request.param](folder).with_tests(folder.trials[3:])
    directory = tmp_path_factory.mktemp("saved") / "again"
    result.save(directory)
    return {"memory": result, "saved": ct.load_result(directory)}


@pytest.fixture(params=["memory", "saved"])
def result(request, results):
    return results[request.param]


def test_what_is_loaded_is_what_was_saved(results):
    assert_same(*results.values(), without=NOT_SAVED)
    loaded = results["saved"]
    assert loaded.label == "again"
    assert set(loaded.provenance.versions) >= {"ceinms-torch", "numpy"}
    assert any(name.endswith("trial4/emg.mot") for name in loaded.provenance.inputs)


def test_saved_twice_is_the_same(results, tmp_path):
    loaded = results["saved"]
    loaded.save(tmp_path / "again")
    assert_same(loaded, ct.load_result(tmp_path / "again"), without={"path", "document"})
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    assert tmp_path.joinpath("again", "subject.xml").relative_to(tmp_path) in files


def test_every_figure_is_drawn(result):
    trial = result.tests[0].name
    figures = [
        ct.plots.plot_moments([result], trial),
        ct.plots.plot_moment_bands([result], DOF_NAMES[0]),
        ct.plots.plot_parameters([result, result], "c1"),
        ct.plots.plot_operating_ranges([result]),
        ct.plots.plot_tendon_strains([result]),
        ct.plots.plot_activations([result], trial),
        ct.plots.plot_history([result], "seconds"),
    ]
    if result.identifiability is None:
        with pytest.raises(ct.DataError, match="expected a calibration by gradient of eq"):
            ct.plots.plot_certainty(result)
    else:
        figures += [ct.plots.plot_certainty(result), ct.plots.plot_singular_values([result])]
    # Those of the report are rendered below, which takes longer.
    assert all(len(figure.axes) > 0 for figure in figures)


def test_report_of_both_is_one_page(results, tmp_path):
    page = tmp_path / "report.html"
    ct.write_report(list(results.values()), page)
    text = page.read_text()
    assert all(f'<section id="{name}">' in text for name in SECTIONS)
    assert {one.label for one in results.values()} <= set(text.replace("<", " ").split())


def test_report_in_one_call(results, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(ct, "write_report", lambda *given: drawn.append(given))
    results["saved"].report(tmp_path / "report.html")
    assert drawn == [([results["saved"]], tmp_path / "report.html")]


def test_moment_errors_as_a_table(result):
    table = result.fit_table()
    assert len(table) == 3 * len(DOF_NAMES)
    assert set(table.role) == {"calibration", "test"}
    for row in table.itertuples():
        fit = (result.fit | result.test_fit)[row.trial][row.dof]
        assert (row.rmse, row.r2, row.r2_correlation) == dataclasses.astuple(fit)


def test_parameters_as_a_table(result):
    table = result.parameter_table()
    last = table[table.step == len(result.steps)]
    for name in ("optimalFibreLength", "strengthCoefficient"):
        of_kind = last[last.parameter == name].set_index("mtu")
        assert set(of_kind.index) == set(MTU_NAMES)
        attribute = PARAMETERS[name].attribute
        for mtu in MTU_NAMES:
            row, value = of_kind.loc[mtu], getattr(result.subject[mtu], attribute)
            assert row.value == pytest.approx(value, rel=1e-12)  # a fraction of the range and back
            assert row.lower - 1e-12 <= row.value <= row.upper + 1e-12
    assert set(table[table.parameter == "tendonSlackLength"].unit) == {"m"}
    if result.identifiability is None:
        assert set(table.identifiable) == {None}
    else:
        known = [certainty_class(one.certainty.reason) for one in result.last_parameters]
        counted = [one for one in result.last_parameters for _ in one.mtus]
        assert list(last.identifiable) == [one.certainty.reason == "" for one in counted]
        assert ("identifiable" in known) == last.interval_lower.notna().any()


def test_activation_delays_are_written(result, tmp_path):
    step = np.median(np.diff(result.trials[0].simulation.activation.time))
    delays = {
        mtu.name: 1e3 * step * (-mtu.c1 / (1 + mtu.c1) - mtu.c2 / (1 + mtu.c2))
        for mtu in result.subject.mtus
    }
    assert result.activation_delays == pytest.approx(delays)
    result.save(tmp_path)
    written = json.loads((tmp_path / "result.json").read_text())["activation_delays"]
    assert written == pytest.approx(delays)
    table = result.parameter_table().dropna(subset="activation_delay")
    assert set(table.parameter) <= {"c1", "c2"}
    for row in table.itertuples():
        assert row.activation_delay == pytest.approx(delays[row.mtu])


# A trial of another condition: synergies do not help there, and say so.
@pytest.mark.filterwarnings("ignore:On test trials the synergy-hybrid")
def test_further_trials_can_be_tested(results, folders):
    hybrid_result = isinstance(results["memory"], ct.HybridResult)
    folder = folders["most" if hybrid_result else "all"]
    one, other = (result.with_tests(folder.trials[2:3]) for result in results.values())
    assert [trial.name for trial in one.tests] == ["trial3"]
    assert_same(one.tests, other.tests, without=NOT_SAVED)
    if hybrid_result:
        assert_same(one.test_synergies, other.test_synergies)
        assert one.tests[0].synthesised == ("gasmed_r",)


def test_it_is_one_line_and_a_table_of_a_notebook(result):
    assert "\n" not in repr(result)
    assert len(repr(result)) < 200
    assert result._repr_html_().count("<tr>") == 1 + 2 * len(DOF_NAMES)


def test_history_is_that_of_the_objective(result):
    last = [item for item in result.history if item.step == len(result.steps) - 1]
    assert result.objective in [item.objective for item in last]
    through = list(result.through_steps())
    for name in ("iteration", "evaluations", "seconds"):
        assert (np.diff([getattr(item, name) for item in through]) >= 0).all()
    assert through[-1].iteration == result.iterations
    assert [item.objective for item in through] == [item.objective for item in result.history]
