"""
Numerical kernel of ceinms_torch: arrays in, arrays out. Does not load torch.
"""

from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing

__all__: list[str] = [
    "AnnealingOptions",
    "AnnealingState",
    "Evaluation",
    "ExcitationProblem",
    "Iteration",
    "LegacyModel",
    "LegacyProblem",
    "LegacyTrial",
    "LinearTerm",
    "Minimum",
    "Objective",
    "ParameterMap",
    "PathSet",
    "Problem",
    "SmoothProblem",
    "Stream",
    "Synergies",
    "SynergyObjective",
    "SynergyProblem",
    "Trial",
    "default_tables",
    "instruction_sets",
    "legacy_anneal",
    "legacy_rows",
    "legacy_run",
    "legacy_run_hybrid",
    "minimise_adamw",
    "minimise_levenberg_marquardt",
    "parameter_kinds",
    "simulate",
    "spline_derivative",
    "spline_table",
    "spline_value",
    "table_value",
    "tendon_table",
]

class Trial:
    """
    One trial, as every engine here takes it.

    Parameters: time (n_step) [s]; mtu_length, mtu_velocity (n_step, n_mtu) [m], [m/s]; moment_arm
    (n_step, n_dof, n_mtu) [m]; excitation (n_row, n_mtu), without delay; excitation_start [s];
    excitation_rate [Hz]. Raises DataError where shapes do not fit together, a number is not finite,
    time does not increase or the rate is not positive. The arrays must not change afterwards.
    """
    def __init__(
        self,
        *,
        time: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        mtu_length: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        mtu_velocity: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        moment_arm: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        excitation: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        excitation_start: typing.SupportsFloat | typing.SupportsIndex,
        excitation_rate: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...

class Evaluation:
    """
    The objective at one point.
    """
    @property
    def objective(self) -> float: ...
    @property
    def rmse(self) -> list[float]: ...
    @property
    def terms(self) -> list[float]: ...

class Iteration:
    """
    The objective at one iterate.
    """
    @property
    def evaluations(self) -> int: ...
    @property
    def iteration(self) -> int: ...
    @property
    def objective(self) -> float: ...
    @property
    def rmse(self) -> list[float]: ...
    @property
    def seconds(self) -> float: ...
    @property
    def terms(self) -> list[float]: ...

class Minimum:
    """
    The best point an optimiser saw, and how it got there.
    """
    @property
    def evaluations(self) -> int: ...
    @property
    def history(self) -> list[Iteration]: ...
    @property
    def objective(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def status(self) -> str: ...
    @property
    def terms(self) -> list[float]: ...
    @property
    def x(self) -> numpy.typing.NDArray[numpy.float64]: ...

class SmoothProblem:
    """
    An objective with a gradient. Use it from one thread at a time.
    """
    def gradient(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> tuple[Evaluation, numpy.typing.NDArray[numpy.float64]]:
        """
        Objective and its gradient (n) at x (n).
        """
    @property
    def n_boxed(self) -> int:
        """
        The first so many components stay in [0, 1]; the others are free.
        """
    @property
    def n_component(self) -> int: ...
    @property
    def term_names(self) -> list[str]: ...

class Objective:
    """
    Terms of eq. 4 and preferences.
    """
    def __init__(self, options: typing.Any) -> None:
        """
        options: normalisation, peak_force_weight, moment_powers (weight, exponent, is_of_sum, dofs) and TERM_penalties (range, weight, exponent, mtus), DOFs by their place among those that count, MTUs by their index; none for all.
        """

class SynergyObjective:
    """
    What eq. 5 adds.
    """
    def __init__(self, options: typing.Any) -> None:
        """
        options: an object with the attributes of model.SynergyHybrid.
        """

class ParameterMap:
    """
    From a point of the unit box to the parameters of every MTU.
    """
    def __init__(
        self,
        *,
        start: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        lower: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        upper: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        slot: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        component: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
    ) -> None: ...
    def parameters(
        self, values: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Parameters (12, n_mtu) with these values (n).
        """
    def values(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> numpy.typing.NDArray[numpy.float64]:
        """
        Values (n) at x (n) in [0, 1]: those that every engine takes.
        """

class LinearTerm:
    """
    A term |matrix x - offset|^2 of a point x.
    """
    def __init__(
        self,
        *,
        name: str,
        matrix: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        offset: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ) -> None: ...
    @property
    def matrix(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def name(self) -> str: ...
    @property
    def offset(self) -> numpy.typing.NDArray[numpy.float64]: ...

class Problem(SmoothProblem):
    """
    A calibration step on the fused engine. Use it from one thread at a time.
    """
    def __init__(
        self,
        *,
        tables: typing.Annotated[
            collections.abc.Sequence[
                tuple[
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                ]
            ],
            "FixedSize(4)",
        ],
        trials: collections.abc.Sequence[Trial],
        measured: collections.abc.Sequence[typing.Annotated[numpy.typing.ArrayLike, numpy.float64]],
        variance: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        map: ParameterMap,
        dofs: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        objective: Objective,
        tendon: str,
        filter_start: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
        instruction_set: str = "auto",
        linear_terms: collections.abc.Sequence[LinearTerm] = [],
    ) -> None:
        """
        measured: one (n_step, n_dof) [N m] per trial; variance (n_trial, n_dof) [N^2 m^2].
        """
    def evaluate(self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> Evaluation:
        """
        Objective at x (n) in [0, 1].
        """
    def normal_equations(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
        """
        Gradient (n) and Gauss-Newton matrix (n, n): twice the products of all residuals' derivatives.
        """
    def residuals(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
        """
        Residuals (n_row), whose squares sum to the objective (but for roots), and their derivatives (n_row, n); penalties have rows only where they are not zero.
        """

class ExcitationProblem:
    """
    A trial as a function of the excitations of some MTUs, as they act at the steps. Use it from one thread at a time.
    """
    def __init__(
        self,
        *,
        tables: typing.Annotated[
            collections.abc.Sequence[
                tuple[
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                ]
            ],
            "FixedSize(4)",
        ],
        parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        trial: Trial,
        tendon: str,
        filter_start: str,
        measured: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        searched: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        dofs: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        threads: typing.SupportsInt | typing.SupportsIndex = 1,
    ) -> None: ...
    def minimise(
        self,
        *,
        start: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        beta: typing.SupportsFloat | typing.SupportsIndex,
        gamma: typing.SupportsFloat | typing.SupportsIndex,
        n_adjusted: typing.SupportsInt | typing.SupportsIndex,
        recorded: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        effort_of_others: typing.SupportsFloat | typing.SupportsIndex,
        tolerance: typing.SupportsFloat | typing.SupportsIndex,
        max_iterations: typing.SupportsInt | typing.SupportsIndex,
        callback: typing.Any,
    ) -> Minimum:
        """
        Search the excitations (n_step, n_searched) that explain the moments.

        Minimises sum |moment error|^2 + beta (sum e^2 + effort_of_others) + gamma sum |e - recorded|, the
        last sum over the first n_adjusted MTUs, until a share `tolerance` of it may be left.
        """
    def simulate(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> dict[str, numpy.typing.NDArray[numpy.float64]]:
        """
        What simulate returns, at x (n_step, n_searched).
        """
    def square_errors(
        self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
        """
        Sums of the squared moment errors of each DOF that counts [N^2 m^2] at x (n_step, n_searched), and the gradient of their sum.
        """
    @property
    def recorded(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        Excitations as recorded, as they act at the steps (n_step, n_mtu).
        """

class Synergies:
    """
    How synergies make excitations, and what these are compared with.
    """
    def __init__(
        self,
        *,
        n_synergy: typing.SupportsInt | typing.SupportsIndex,
        synthesised: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        tied: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        recorded: collections.abc.Sequence[typing.Annotated[numpy.typing.ArrayLike, numpy.float64]],
        expected: collections.abc.Sequence[typing.Annotated[numpy.typing.ArrayLike, numpy.float64]],
        n_row: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        rows_per_node: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        row_interval: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex],
        shared_weightings: bool,
        exact_bounds: bool,
        objective: SynergyObjective,
    ) -> None: ...

class SynergyProblem(SmoothProblem):
    """
    A calibration step whose unrecorded excitations are sums of synergies (eq. 5). A point is the problem's, then weightings (n_set, n_channel + n_synthesised, n_synergy), then primitives (n_synergy, n_node) of every trial. Takes over the problem.
    """
    def __init__(self, *, problem: Problem, synergies: Synergies) -> None: ...

class PathSet:
    """
    Lengths of MTUs as polynomials of coordinates, moment arms as minus their derivatives. For any number of threads.
    """
    def __init__(
        self,
        *,
        n_coordinate: typing.SupportsInt | typing.SupportsIndex,
        coordinates: collections.abc.Sequence[
            typing.Annotated[numpy.typing.ArrayLike, numpy.int64]
        ],
        orders: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        coefficients: collections.abc.Sequence[
            typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
        ],
        dofs: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        instruction_set: str = "auto",
    ) -> None:
        """
        For every MTU the indices of its coordinates, its order and its coefficients, the exponent of the last coordinate running fastest; dofs (n_dof): the coordinate of each.
        """
    def evaluate(
        self, coordinates: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
        """
        Coordinates (n_pose, n_coordinate) [rad] to lengths (n_pose, n_mtu) [m] and moment arms (n_pose, n_dof, n_mtu) [m].
        """

class Stream:
    """
    A simulation that goes on instant by instant. Allocates what it needs when it is made. For one thread at a time.
    """
    def __init__(
        self,
        *,
        tables: typing.Annotated[
            collections.abc.Sequence[
                tuple[
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                ]
            ],
            "FixedSize(4)",
        ],
        parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        acts: typing.Annotated[numpy.typing.ArrayLike, numpy.bool],
        rate: typing.SupportsFloat | typing.SupportsIndex,
        longest_delay: typing.SupportsFloat | typing.SupportsIndex,
        tendon: str,
        filter_start: str,
        instruction_set: str = "auto",
    ) -> None:
        """
        acts (n_dof, n_mtu): which MTUs act on which DOF; rate [Hz]; longest_delay [s].
        """
    def reset(self) -> None:
        """
        Back to rest, before the first instant.
        """
    def run_in(self, excitation: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> None:
        """
        Let the activation filter run over excitations (n_row, n_mtu) before the first step.
        """
    def set_parameters(
        self, parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> None:
        """
        Replace parameters (n_kind, n_mtu) and go on from the present state.
        """
    def step(
        self,
        excitation: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        mtu_length: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        moment_arm: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
        """
        The next instant: excitation (n_mtu), mtu_length (n_mtu) [m], moment_arm (n_dof, n_mtu) [m] to MTU forces (n_mtu) [N] and joint moments (n_dof) [N m].
        """
    def step_at(
        self,
        paths: PathSet,
        excitation: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        coordinates: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
        """
        The next instant, with lengths and moment arms from coordinates (n_coordinate) [rad].
        """
    @property
    def activation(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def fibre_length(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def fibre_velocity(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def joint_moment(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def mtu_force(self) -> numpy.typing.NDArray[numpy.float64]: ...
    @property
    def n_clamped(self) -> int: ...
    @property
    def n_step(self) -> int: ...
    @property
    def tendon_strain(self) -> numpy.typing.NDArray[numpy.float64]: ...

class LegacyModel:
    """
    How the model of CEINMS 0.9 is run.
    """
    def __init__(
        self,
        *,
        tendon: str,
        activation: str,
        online: bool,
        tolerance: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None: ...

class LegacyTrial:
    """
    One trial's data with its EMG rows as recorded.
    """
    def __init__(
        self,
        *,
        trial: Trial,
        excitation_time: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        em_delay: typing.SupportsFloat | typing.SupportsIndex,
    ) -> None:
        """
        excitation_time (n_row) [s]; em_delay [s], of all MTUs.
        """

class AnnealingOptions:
    """
    Settings of CEINMS's annealing; variant 'ceinms' or 'modern', which alone has a seed.
    """
    def __init__(
        self,
        *,
        no_epsilon: typing.SupportsInt | typing.SupportsIndex,
        rt: typing.SupportsFloat | typing.SupportsIndex,
        temperature: typing.SupportsFloat | typing.SupportsIndex,
        ns: typing.SupportsInt | typing.SupportsIndex,
        nt: typing.SupportsInt | typing.SupportsIndex,
        epsilon: typing.SupportsFloat | typing.SupportsIndex,
        max_no_eval: typing.SupportsInt | typing.SupportsIndex,
        variant: str = "ceinms",
        seed: typing.SupportsInt | typing.SupportsIndex = 0,
    ) -> None: ...

class AnnealingState:
    """
    All that an annealing goes on from.
    """

    random: str
    def __init__(self) -> None: ...
    @property
    def adjustment(self) -> int: ...
    @adjustment.setter
    def adjustment(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def best(self) -> list[float]: ...
    @best.setter
    def best(
        self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
    ) -> None: ...
    @property
    def best_f(self) -> float: ...
    @best_f.setter
    def best_f(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def cycle(self) -> int: ...
    @cycle.setter
    def cycle(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def evaluations(self) -> int: ...
    @evaluations.setter
    def evaluations(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def f(self) -> float: ...
    @f.setter
    def f(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def latest(self) -> list[float]: ...
    @latest.setter
    def latest(
        self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
    ) -> None: ...
    @property
    def n_accepted(self) -> list[int]: ...
    @n_accepted.setter
    def n_accepted(
        self, arg0: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]
    ) -> None: ...
    @property
    def n_temperature(self) -> int: ...
    @n_temperature.setter
    def n_temperature(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def next(self) -> int: ...
    @next.setter
    def next(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def step(self) -> list[float]: ...
    @step.setter
    def step(
        self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
    ) -> None: ...
    @property
    def temperature(self) -> float: ...
    @temperature.setter
    def temperature(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None: ...
    @property
    def x(self) -> list[float]: ...
    @x.setter
    def x(
        self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]
    ) -> None: ...

class LegacyProblem:
    """
    A calibration step of CEINMS. Use it from one thread at a time.
    """
    def __init__(
        self,
        *,
        tables: typing.Annotated[
            collections.abc.Sequence[
                tuple[
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                    typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                ]
            ],
            "FixedSize(4)",
        ],
        model: LegacyModel,
        trials: collections.abc.Sequence[LegacyTrial],
        measured: collections.abc.Sequence[typing.Annotated[numpy.typing.ArrayLike, numpy.float64]],
        dofs: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        map: ParameterMap,
        objective: Objective | None = None,
        least_variance: typing.Annotated[numpy.typing.ArrayLike, numpy.float64] | None = None,
        threads: typing.SupportsInt | typing.SupportsIndex = 1,
    ) -> None:
        """
        objective: moment errors, and penalties on fibre lengths and velocities; None for those of CEINMS 0.9. least_variance (n_trial): floor of a trial's moment variances.
        """
    def evaluate(self, x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]) -> Evaluation:
        """
        Objective at parameter values x (n_component).
        """
    @property
    def failures(self) -> list[int]:
        """
        Frames without equilibrium at the last point (n_mtu).
        """

def default_tables() -> list[
    tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]
]:
    """
    Smooth curves for subjects without any: active, passive, force-velocity, tendon.
    """

def instruction_sets() -> list[str]:
    """
    Instruction sets that this build has and this machine runs, the best first.
    """

def legacy_anneal(
    problem: LegacyProblem,
    *,
    start: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    lower: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    upper: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    options: AnnealingOptions,
    callback: typing.Any = None,
    keep: typing.Any = None,
    keep_interval: typing.SupportsFloat | typing.SupportsIndex = 1.0,
    state: AnnealingState | None = None,
) -> Minimum:
    """
    Minimise by CEINMS's annealing; callback(Iteration) after every temperature, keep(AnnealingState) every keep_interval [s]. With such a state it goes on from there to the same result. Ctrl-C stops and keeps the best point.
    """

def legacy_rows(
    time: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    excitation_time: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    em_delay: typing.SupportsFloat | typing.SupportsIndex,
) -> tuple[int, numpy.typing.NDArray[numpy.int64]]:
    """
    Run-in and the EMG row of every frame, as CEINMS takes them; ends at the first frame without a row of its own.
    """

def legacy_run(
    *,
    tables: typing.Annotated[
        collections.abc.Sequence[
            tuple[
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
            ]
        ],
        "FixedSize(4)",
    ],
    parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    trial: LegacyTrial,
    model: LegacyModel,
) -> dict[str, numpy.ndarray]:
    """
    Run a trial, open loop, as CEINMS 0.9 does.

    Returns a dict of arrays (n_step, n_mtu): activation, fibre_length [m], norm_fibre_length,
    fibre_velocity [m/s], norm_fibre_velocity, pennation_angle [rad], tendon_strain, mtu_force [N]; joint_moment
    (n_step, n_dof) [N m]; n_failed (n_mtu), frames at which the elastic tendon found no equilibrium.
    """

def legacy_run_hybrid(
    *,
    tables: typing.Annotated[
        collections.abc.Sequence[
            tuple[
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
            ]
        ],
        "FixedSize(4)",
    ],
    parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    trial: LegacyTrial,
    model: LegacyModel,
    measured: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    alpha: typing.SupportsFloat | typing.SupportsIndex,
    beta: typing.SupportsFloat | typing.SupportsIndex,
    gamma: typing.SupportsFloat | typing.SupportsIndex,
    adjust: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
    synth: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
    dofs: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
    annealing: AnnealingOptions | None,
) -> dict[str, numpy.ndarray]:
    """
    Search the excitations of some MTUs (indices) frame by frame.

    Moments of `dofs` (indices) shall match those measured (n_step, n_dof) [N m]. By annealing as in
    CEINMS, or by gradients if annealing is None. Returns what legacy_run does, adjusted_excitation
    (n_step, n_mtu), terms (n_step, 3), the unweighted sums of squared moment errors [N^2 m^2], squared
    excitations and absolute changes, and evaluations (n_step) of the objective.
    """

def minimise_adamw(
    problem: SmoothProblem,
    start: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    *,
    options: typing.Any,
    callback: typing.Any = None,
) -> Minimum:
    """
    The same by AdamW; options: an object with the attributes of model.AdamW.
    """

def minimise_levenberg_marquardt(
    problem: Problem,
    start: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    *,
    options: typing.Any,
    callback: typing.Any = None,
) -> Minimum:
    """
    Minimise from start (n) in [0, 1] by Levenberg-Marquardt; options: an object with the attributes of model.LevenbergMarquardt; callback(Iteration). Ctrl-C stops and keeps the best point.
    """

def parameter_kinds() -> list[str]:
    """
    Rows of every parameter matrix (n_kind, n_mtu), by the names of their attributes.
    """

def simulate(
    *,
    tables: typing.Annotated[
        collections.abc.Sequence[
            tuple[
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
                typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
            ]
        ],
        "FixedSize(4)",
    ],
    parameters: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    trial: Trial,
    tendon: str,
    filter_start: str,
) -> dict[str, numpy.typing.NDArray[numpy.float64]]:
    """
    Simulate one trial in double precision.

    Parameters: tables, four (knots, pieces) in the order active, passive, force-velocity, tendon;
    parameters (n_kind, n_mtu); tendon 'stiff', 'rosenbrock' or 'dampedEquilibrium'; filter_start 'zero'
    or 'ceinms'.

    Returns a dict of arrays, NaN from where a damped equilibrium is not found: activation,
    fibre_length [m], fibre_velocity [m/s],
    pennation_angle [rad], tendon_strain, mtu_force [N] (n_step, n_mtu) and joint_moment
    (n_step, n_dof) [N m].
    """

def spline_derivative(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    at: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    First derivative of CEINMS's cubic spline; outside the knots the slope at the end.
    """

def spline_table(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
    """
    The spline as (knots, pieces), constant outside.
    """

def spline_value(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    at: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Value of CEINMS's cubic spline through (x, y) at any positions; constant outside.
    """

def table_value(
    table: tuple[
        typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
        typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ],
    at: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> numpy.typing.NDArray[numpy.float64]:
    """
    Value of a (knots, pieces) table at any positions.
    """

def tendon_table(
    x: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    y: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]:
    """
    A tendon curve as (knots, pieces), with a small positive slope below zero strain.
    """

__version__: str = "0.1.0"
