"""What a simulation warns about."""

import warnings

import pytest

from ceinms_torch.errors import CeinmsTorchWarning
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.parameters import PARAMETER_KINDS
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import simulate


@pytest.fixture
def subject(tiny_folder):
    return Subject.read(tiny_folder / "subject.xml")


@pytest.fixture
def trial(tiny_folder, subject):
    generator = ExcitationGenerator.read(tiny_folder / "excitationGenerator.xml")
    return Trial.read(tiny_folder / "trial1" / "inputData.xml", subject, generator)


def with_slack(subject, trial, shares):
    """Return the subject with tendons that are longer than their MTUs at a share of the steps."""
    matrix = subject.parameters()
    row = PARAMETER_KINDS.index("tendonSlackLength")
    for i, n in shares.items():
        matrix[row, i] = sorted(trial.mtu_length[:, i])[n]
    return subject.with_parameters(matrix)


def test_stiff_tendon_longer_than_its_mtu_is_one_warning(subject, trial):
    slack = with_slack(subject, trial, {0: 7, 2: 1})
    with pytest.warns(CeinmsTorchWarning, match="tendonSlackLength") as caught:
        simulate(slack, trial, tendon="stiff")
    (warning,) = caught
    assert "Trial 'trial1'" in str(warning.message)
    assert "some of the 30 steps: soleus_r (7), recfem_r (1)." in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize("tendon", ["rosenbrockElastic", "equilibriumElastic"])
def test_elastic_tendon_may_be_slack(subject, trial, tendon):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(with_slack(subject, trial, {0: 7}), trial, tendon=tendon)


def test_stiff_tendon_as_long_as_its_mtu_is_no_reason(subject, trial):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(with_slack(subject, trial, {0: 0}), trial, tendon="stiff")
