"""The papers behind what a calibration did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ceinms_torch.calibration.result import CalibrationResult


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A paper, and what of it a calibration used.

    Parameters
    ----------
    what : str
        What was used.
    citation : str
        Authors, year, title, journal.
    is_used : callable
        Whether a result used it.
    """

    what: str
    citation: str
    is_used: Callable[[CalibrationResult], bool]


def _method(*names: str) -> Callable[[CalibrationResult], bool]:
    def is_used(result: CalibrationResult) -> bool:
        return result.method in names or ("lm" in names and result.polished)

    return is_used


def _always(_: CalibrationResult) -> bool:
    return True


REFERENCES = (
    Reference(
        what="Files, activation, muscle and objective of CEINMS",
        citation="Pizzolato C, Lloyd DG, Sartori M, Ceseracciu E, Besier TF, Fregly BJ, Reggiani M "
        "(2015). CEINMS: a toolbox to investigate the influence of different neural control "
        "solutions on the prediction of muscle excitation and joint moments during dynamic motor "
        "tasks. Journal of Biomechanics 48, 3929-3936.",
        is_used=_always,
    ),
    Reference(
        what="EMG-driven model and its calibration",
        citation="Lloyd DG, Besier TF (2003). An EMG-driven musculoskeletal model to estimate "
        "muscle forces and knee joint moments in vivo. Journal of Biomechanics 36, 765-776.",
        is_used=_always,
    ),
    Reference(
        what="Calibration by gradient through the model",
        citation="Hambly MJ, Worsey MTO, Lloyd DG, Pizzolato C. Improving Calibration of "
        "EMG-Informed Neuromusculoskeletal Models Through Differentiable Physics and Muscle "
        "Synergies.",
        is_used=_method("lm", "adamw", "lbfgs"),
    ),
    Reference(
        what="Elastic tendon, integrated by a Rosenbrock step",
        citation="van den Bogert AJ, Blana D, Heinrich D (2011). Implicit methods for efficient "
        "musculoskeletal simulation and optimal control. Procedia IUTAM 2, 297-316.",
        is_used=lambda result: result.tendon == "rosenbrockElastic",
    ),
    Reference(
        what="Muscle and tendon curves",
        citation="De Groote F, Kinney AL, Rao AV, Fregly BJ (2016). Evaluation of direct "
        "collocation optimal control problem formulations for solving the muscle redundancy "
        "problem. Annals of Biomedical Engineering 44, 2922-2936.",
        is_used=lambda result: not result.subject.curves,
    ),
    Reference(
        what="Tendon strain of these curves at maximum isometric force",
        citation="Millard M, Uchida T, Seth A, Delp SL (2013). Flexing computational muscle: "
        "modeling and simulation of musculotendon dynamics. Journal of Biomechanical Engineering "
        "135, 021005.",
        is_used=lambda result: not result.subject.curves,
    ),
    Reference(
        what="Levenberg-Marquardt: scaled damping",
        citation="Marquardt DW (1963). An algorithm for least-squares estimation of nonlinear "
        "parameters. Journal of the Society for Industrial and Applied Mathematics 11, 431-441.",
        is_used=_method("lm"),
    ),
    Reference(
        what="Levenberg-Marquardt: change of the damping",
        citation="Nielsen HB (1999). Damping parameter in Marquardt's method. Report "
        "IMM-REP-1999-05, Technical University of Denmark.",
        is_used=_method("lm"),
    ),
    Reference(
        what="AdamW",
        citation="Loshchilov I, Hutter F (2019). Decoupled weight decay regularization. "
        "International Conference on Learning Representations.",
        is_used=_method("adamw"),
    ),
    Reference(
        what="L-BFGS-B",
        citation="Byrd RH, Lu P, Nocedal J, Zhu C (1995). A limited memory algorithm for bound "
        "constrained optimization. SIAM Journal on Scientific Computing 16, 1190-1208.",
        is_used=_method("lbfgs"),
    ),
    Reference(
        what="Simulated annealing",
        citation="Corana A, Marchesi M, Martini C, Ridella S (1987). Minimizing multimodal "
        "functions of continuous variables with the simulated annealing algorithm. ACM "
        "Transactions on Mathematical Software 13, 262-280.",
        is_used=_method("annealing"),
    ),
    Reference(
        what="Simulated annealing, as CEINMS has it",
        citation="Goffe WL, Ferrier GD, Rogers J (1994). Global optimization of statistical "
        "functions with simulated annealing. Journal of Econometrics 60, 65-99.",
        is_used=_method("annealing"),
    ),
)


def references_of(results: Sequence[CalibrationResult]) -> list[Reference]:
    """Return the papers whose methods at least one calibration used.

    Parameters
    ----------
    results : sequence of CalibrationResult
        The calibrations.

    Returns
    -------
    list of Reference
    """
    return [one for one in REFERENCES if any(one.is_used(result) for result in results)]
