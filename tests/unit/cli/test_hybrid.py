"""Which options ask for synergies, and what does not go with them."""

import pytest

import ceinms_torch as ct
from ceinms_torch.cli.hybrid import refuse_with_synergies, with_hybrid
from ceinms_torch.synergies.hybrid import choose_hybrid_method

HYBRID = ct.SynergyHybrid(n_synergy=4, weightings="trial")


def make_plan(hybrid=None, algorithm=None):
    return ct.CalibrationPlan(
        algorithm=algorithm or ct.LevenbergMarquardt(),
        tendon=ct.Tendon(kind="stiff"),
        steps=(),
        hybrid=hybrid,
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
    assert with_hybrid(make_plan(planned), asked_for, number).hybrid == expected


def test_options_that_contradict_each_other():
    with pytest.raises(ct.OptionError, match="expected no such option with --no-hybrid, got 4"):
        with_hybrid(make_plan(), False, 4)
    with pytest.raises(ct.OptionError, match="--polish: expected the default, with synergies"):
        refuse_with_synergies(polish=True, start="subject")
    with pytest.raises(ct.OptionError, match="--start: expected the default, with synergies"):
        refuse_with_synergies(polish=False, start="random")


def test_methods():
    own = ct.AdamW(max_iterations=7)
    assert choose_hybrid_method(make_plan()) == ("lbfgs", ct.Lbfgs())
    assert choose_hybrid_method(make_plan(algorithm=own)) == ("adamw", own)
    assert choose_hybrid_method(make_plan(algorithm=own), "lbfgs") == ("lbfgs", ct.Lbfgs())
    assert choose_hybrid_method(make_plan(), options=own) == ("adamw", own)
    name, options = choose_hybrid_method(make_plan(), "adamw")
    assert (name, options.learning_rate) == ("adamw", 0.01)
    for method in ("lm", "annealing", "guess"):
        with pytest.raises(ct.OptionError, match="expected lbfgs or adamw with synergies"):
            choose_hybrid_method(make_plan(), method)
    with pytest.raises(ct.OptionError, match="expected those of lbfgs, got those of adamw"):
        choose_hybrid_method(make_plan(), "lbfgs", own)
    with pytest.raises(ct.OptionError, match="got LevenbergMarquardt"):
        choose_hybrid_method(make_plan(), options=ct.LevenbergMarquardt())
