"""Which options ask for synergies, and what does not go with them."""

import pytest

import ceinms_torch as ct
from ceinms_torch.calibration.methods import choose_method
from ceinms_torch.cli.synergy_hybrid import with_synergy_hybrid

HYBRID = ct.SynergyHybrid(n_synergy=4, weightings="trial")


def make_plan(hybrid=None, algorithm=None):
    return ct.CalibrationPlan(
        algorithm=algorithm or ct.LevenbergMarquardt(),
        tendon=ct.Tendon(kind="stiff"),
        steps=(),
        synergy_hybrid=hybrid,
    )


@pytest.mark.parametrize(
    ("planned", "asked_for", "number", "expected"),
    [
        (None, None, None, None),
        (None, True, None, ct.SynergyHybrid()),
        (None, None, 3, ct.SynergyHybrid(n_synergy=3)),
        (HYBRID, None, None, HYBRID),
        (HYBRID, None, "auto", ct.SynergyHybrid(weightings="trial")),
        (HYBRID, False, None, None),
    ],
)
def test_what_the_options_ask_for(planned, asked_for, number, expected):
    assert with_synergy_hybrid(make_plan(planned), asked_for, number).synergy_hybrid == expected


def test_options_that_contradict_each_other():
    with pytest.raises(ct.OptionError, match="expected no such option with --no-hybrid, got 4"):
        with_synergy_hybrid(make_plan(), False, 4)
    with pytest.raises(ct.OptionError, match=r"--synthesise: .* with --no-hybrid, got psoas"):
        with_synergy_hybrid(make_plan(), False, None, "psoas")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("psoas", ("psoas",)), ("psoas,iliacus", ("psoas", "iliacus")), ("all", None)],
)
def test_names_imply_synergies_and_replace_those_of_the_file(text, expected):
    planned = ct.SynergyHybrid(n_synergy=3, synthesise=("soleus",))
    found = with_synergy_hybrid(make_plan(planned), None, None, text).synergy_hybrid
    assert found == ct.SynergyHybrid(n_synergy=3, synthesise=expected)
    assert with_synergy_hybrid(make_plan(), None, None, text).synergy_hybrid.synthesise == expected


def test_no_name_is_an_error():
    with pytest.raises(ct.OptionError, match="--synthesise: expected names of MTUs, or all"):
        with_synergy_hybrid(make_plan(), None, None, " , ")


def test_methods():
    own = ct.AdamW(max_iterations=7)

    def chosen(*arguments, algorithm=None):
        return choose_method(make_plan(HYBRID, algorithm), *arguments)

    assert chosen() == ct.Lbfgs()
    assert chosen(algorithm=own) == own
    assert chosen("lbfgs", algorithm=own) == ct.Lbfgs()
    assert chosen(None, own) == own
    assert chosen("adamw").learning_rate == 0.01
    for method in ("lm", "annealing", "guess"):
        with pytest.raises(ct.OptionError, match="expected lbfgs or adamw with synergies"):
            chosen(method)
    with pytest.raises(ct.OptionError, match="expected those of lbfgs, got those of adamw"):
        chosen("lbfgs", own)
