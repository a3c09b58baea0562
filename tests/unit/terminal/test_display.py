"""Tables on narrow terminals and in files."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from ceinms_torch.simulation.fit import MomentFit
from ceinms_torch.terminal.display import bounds_table, fit_table


def shown(table, width):
    """Return what a file or a terminal of some width gets, line by line."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(table)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in file.getvalue()  # nothing is cut off
    return lines


def column(lines, index):
    """Return the text of one column with its line breaks taken out."""
    return "".join(line.split("│")[index + 1].strip() for line in lines if line.startswith("│"))


TRIALS = {f"slow_walking_with_the_right_leg_{i}": i for i in range(2)}
DOFS = ("knee_angle_r", "subtalar_inversion_angle_r")


@pytest.mark.parametrize("width", [50, 80, 120])
def test_fit_table_keeps_every_name_and_number(width):
    one = MomentFit(rmse=123.456, r2=-10.5, r2_correlation=0.25)
    lines = shown(fit_table("trials", {trial: dict.fromkeys(DOFS, one) for trial in TRIALS}), width)
    assert column(lines, 0) == "".join((*TRIALS, "mean"))
    assert column(lines, 1) == "".join(DOFS) * 3
    assert column(lines, 2) == "123.46" * 6
    assert column(lines, 3) == "-10.500" * 6
    assert column(lines, 4) == "0.250" * 6


def result(*components):
    return SimpleNamespace(
        parameters=[
            SimpleNamespace(name=kind, mtus=names, at_bound=bound)
            for kind, names, bound in components
        ]
    )


NAMES = [f"muscle_of_the_leg_{i}_r" for i in range(40)]


@pytest.mark.parametrize("width", [50, 80])
def test_long_lists_of_mtus_go_on_in_the_next_line(width):
    single = [("tendonSlackLength", (name,), "lower") for name in NAMES]
    group = ("maxIsometricForce", tuple(NAMES), "upper")
    lines = shown(bounds_table(result(*single, group, ("c1", ("soleus_r",), ""))), width)
    text = column(lines, 2).replace(" ", "")  # a blank at the end of a line is lost
    assert text == ",".join(NAMES) + "+".join(NAMES)
    assert "41 of 42 parameters are at a bound" in " ".join(" ".join(lines).split())


def test_names_are_text_and_no_markup():
    one = MomentFit(rmse=1.0, r2=1.0, r2_correlation=1.0)
    lines = shown(fit_table("a [bold]", {"walk[red]": {"knee[i]": one}}), 80)
    assert lines[0].strip() == "a [bold]"
    assert column(lines, 0) == "walk[red]"
    assert column(lines, 1) == "knee[i]"
    lines = shown(bounds_table(result(("c1", ("soleus[r]",), "lower"))), 80)
    assert column(lines, 2) == "soleus[r]"
