"""Calibration files of the paper's calibrator, written from what is known of them."""

from pathlib import Path

PARAMETERS = {
    "c1": "-0.95 -0.05",
    "c2": "-0.95 -0.05",
    "shapefactor": "-2.999 -0.001",
    "optimalFiberLength": "0.9 1.1",
    "tendonSlackLength": "0.95 1.05",
    "strengthCoefficient": "0.5 3.5",
}
DECAY = (
    "<learningRateDecay><decay>0.99</decay><minLearningRate>0.0001</minLearningRate>"
    "</learningRateDecay>"
)


def objective_function(name, **content):
    """Return one of its objective functions."""
    parts = "".join(f"<{part}>{text}</{part}>" for part, text in content.items())
    return f"    <objectiveFunction><name>{name}</name>{parts}</objectiveFunction>"


def write_paper_calibration(
    path,
    trials,
    *,
    hybrid=False,
    synergies=4,
    tendon="<tendon>elastic</tendon>",
    muscles="<muscles>all</muscles>",
    groups=(),
    iterations=1000,
    strain="0 0.5",
):
    """Write such a file and return its path."""
    parameters = "\n".join(
        f'      <parameter name="{name}">{bounds}</parameter>'
        for name, bounds in PARAMETERS.items()
    )
    penalty = {"targets": "all", "exponent": 2}
    objectives = "\n".join(
        [
            objective_function("MomentError", targets="all", weight=1, exponent=1),
            objective_function(
                "Penalty",
                **penalty,
                targetType="normalisedFibreLength",
                weight=100,
                range="0.5 1.5",
            ),
            objective_function(
                "Penalty", **penalty, targetType="tendonStrain", weight=1000, range=strain
            ),
            objective_function("ExcitationsSquared", weight=1, exponent=2),
            objective_function(
                "SynergyExtraction", mseWeight=100, range="0 1", rangeExponent=2, rangeWeight=1000
            ),
        ]
    )
    listed = "".join(f"<muscles>{' '.join(group)}</muscles>" for group in groups)
    Path(path).write_text(
        f"""<calibration>
  <optimiser>
    <debug>false</debug>
    <hybridCalibration>{str(hybrid).lower()}</hybridCalibration>
    <learningRate>0.02</learningRate>
    <maxIterations>{iterations}</maxIterations>
    <earlyStopping><minImprovement>0.1</minImprovement><patience>20</patience></earlyStopping>
    {DECAY}
    <numberOfSynergies>{synergies}</numberOfSynergies>
  </optimiser>
  {tendon}
  <calibrationTargets>
    <parametersToCalibrate>
{parameters}
    </parametersToCalibrate>
    {f"<muscleGroups>{listed}</muscleGroups>" if groups else ""}
  </calibrationTargets>
  <objectiveFunctions>
{objectives}
  </objectiveFunctions>
  {muscles}
  <trialSet>{" ".join(trials)}</trialSet>
</calibration>
""",
        encoding="utf-8",
    )
    return Path(path)
