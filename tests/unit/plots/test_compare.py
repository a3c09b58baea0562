"""The figure of a comparison: everything is drawn, and texts do not overlap."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.plots.compare import comparison_figure
from ceinms_torch.plots.style import COLOURS, save_figure
from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.studies.comparison import CONTROL, Candidate, Comparison, Run

DOFS = ("hip_flexion_r", "knee_angle_r")
KINDS = ("c1", "optimalFibreLength", "tendonSlackLength")
MANY_DOFS = (*DOFS, "ankle_angle_r", "subtalar_angle_r", "hip_adduction_r", "hip_rotation_r")


def fit_of(rng, trials, dofs):
    return {
        trial: {
            dof: MomentFit(rmse=rng.uniform(5, 40), r2=rng.uniform(-3, 1), r2_correlation=0.5)
            for dof in dofs
        }
        for trial in trials
    }


def made_up(n_mtu, methods, *, with_tests=True, tendons=("elastic",), dofs=DOFS, kinds=KINDS):
    rng = np.random.default_rng(1)
    mtus = [f"muscle_{i}_r" for i in range(n_mtu)]
    parameters = tuple((kind, (mtu,)) for kind in kinds for mtu in mtus)
    runs = []
    for tendon, method in itertools.product(tendons, (CONTROL, *methods)):
        is_control = method == CONTROL
        runs.append(
            Run(
                candidate=Candidate(method=method, tendon=tendon),
                model="rosenbrockElastic",
                objective=None if is_control else 3.0,
                common=20.0 if is_control else 3.5,
                history=() if is_control else ((1, 0.0, 20.0), (5, 1e-3, 6.0), (40, 0.2, 3.0)),
                fit=fit_of(rng, ("a", "b"), dofs),
                test_fit=fit_of(rng, ("c", "d", "e"), dofs) if with_tests else {},
                parameters=tuple(rng.uniform(0, 1, len(parameters))),
            )
        )
    return Comparison(
        runs=tuple(runs), dofs=dofs, parameters=parameters, yardstick="a model", unit="-"
    )


def beyond_the_axes(figure):
    """Return the labels of ticks outside their axes' limits, which matplotlib keeps undrawn."""
    hidden = set()
    for axis in itertools.chain.from_iterable((axes.xaxis, axes.yaxis) for axes in figure.axes):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                hidden |= {tick.label1, tick.label2}
    return hidden


def texts_of(figure):
    """Return every text that is drawn with the pixels that it takes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    hidden = beyond_the_axes(figure)
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]


@pytest.mark.parametrize(
    "comparison",
    [
        made_up(12, ("annealing", "adamw", "lbfgs", "lm")),
        made_up(
            30,
            ("adamw", "lm"),
            tendons=("stiff", "elastic"),
            dofs=MANY_DOFS,
            kinds=PARAMETER_KINDS[:8],
        ),
    ],
    ids=["usual", "large"],
)
def test_texts_are_inside_and_apart(comparison):
    figure = comparison_figure(comparison)
    width, height = figure.canvas.get_width_height()
    texts = texts_of(figure)
    for text, box in texts:
        assert box.x0 >= -1.0, text
        assert box.x1 <= width + 1.0, text
        assert box.y0 >= -1.0, text
        assert box.y1 <= height + 1.0, text
    for (one, first), (other, second) in itertools.combinations(texts, 2):
        # A pixel of overlap is the box around the letters, not the letters.
        is_apart = (
            min(first.x1, second.x1) - max(first.x0, second.x0) < 1.0
            or min(first.y1, second.y1) - max(first.y0, second.y0) < 1.0
        )
        assert is_apart, f"'{one}' and '{other}' overlap"


def test_what_is_drawn():
    figure = comparison_figure(made_up(4, ("annealing", "lm")))
    objective, _, rmse, _, *parameters = figure.axes
    assert [axes.get_title(loc="center") for axes in parameters] == list(KINDS)
    assert rmse.get_ylabel() == "RMSE [N m]"
    # Two sets of trials, three groups, two DOFs.
    assert len(rmse.patches) == 12
    assert [text.get_text() for text in figure.legends[0].texts] == [CONTROL, "annealing", "lm"]
    curves = [line for line in objective.lines if len(line.get_xdata()) == 3]
    assert [line.get_color() for line in curves] == list(COLOURS[:2])
    # The start takes no time: it is drawn at half the first time that a logarithm has.
    assert curves[0].get_xdata()[0] == pytest.approx(5e-4)


def test_files(tmp_path):
    files = save_figure(
        comparison_figure(made_up(2, ("lm",), with_tests=False)), tmp_path / "new", "name"
    )
    assert [file.name for file in files] == ["name.png", "name.svg"]
    assert all(file.stat().st_size > 0 for file in files)
