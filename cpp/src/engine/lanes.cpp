/// One backend. Compiled once per instruction set, with
///   CEINMS_TORCH_ISA      a name for it, part of every type made of packs
///   CEINMS_TORCH_BACKEND  the function that returns it
/// Only templates on packs may be instantiated here: whatever else this file emitted could be
/// merged with the same function of another instruction set by the linker.

#include "ceinms_torch/engine/lanes.hpp"

#include "ceinms_torch/kernel/adjoint.hpp"
#include "ceinms_torch/kernel/pack.hpp"

#include <type_traits>

namespace ceinms_torch::engine {
namespace {

using kernel::Dual;
using kernel::Mask;
using kernel::Mtu;
using kernel::MtuCurves;
using kernel::MtuParameters;
using kernel::Pack;
using kernel::pack_width;
using kernel::PackTable;
using kernel::ParameterKind;

Pack at(const double* table, std::size_t row) {
  return Pack::load(table + row * pack_width);
}
Pack at_or_zero(const double* table, std::size_t row) {
  return table == nullptr ? Pack(0.0) : at(table, row);
}
void put(double* table, std::size_t row, Pack value) {
  value.store(table + row * pack_width);
}
void put_if_asked(double* table, std::size_t row, Pack value) {
  if (table != nullptr) put(table, row, value);
}

MtuCurves<PackTable> pack_curves(const CurveViews& views) {
  const auto table = [](const TableView& view) {
    return PackTable{view.knots, view.pieces, view.n_knot, view.per_step};
  };
  return {table(views.active_force_length), table(views.passive_force_length),
          table(views.force_velocity), table(views.tendon_force_strain)};
}

MtuParameters<Pack> pack_parameters(const double* parameters) {
  return MtuParameters<Pack>::from(
      [&](ParameterKind kind) { return at(parameters, index_of(kind)); });
}

/// simulate_lanes's input from a block.
struct BlockInput {
  const LaneBlock& block;

  std::size_t n_run_in() const { return block.n_run_in; }
  std::size_t n_step() const { return block.n_step; }
  Pack excitation(std::size_t n) const { return at(block.excitation, n); }
  bool any_third(std::size_t n) const { return block.any_third[n] != 0; }
  Mask is_third(std::size_t n) const {
    Mask::Bits third;
    __builtin_memcpy(&third, block.third_sample, sizeof(third));
    return {third == Mask::Bits{} + static_cast<std::int64_t>(n)};
  }
  Pack mtu_length(std::size_t k) const { return at(block.mtu_length, k); }
  Pack mtu_velocity(std::size_t k) const { return at(block.mtu_velocity, k); }
  Pack time_step(std::size_t k) const { return at(block.time_step, k); }
};

/// The same with the excitations' derivative by em_delay as partial `delay`, if that is one.
template <std::size_t N>
struct DelayedInput : BlockInput {
  std::size_t delay;

  Dual<Pack, N> excitation(std::size_t n) const {
    Dual<Pack, N> e = Dual<Pack, N>::constant(at(block.excitation, n));
    if (delay < N) e.partial[delay] = at(block.excitation_by_delay, n);
    return e;
  }
};

struct TraceOutput {
  const LaneTrace& trace;

  void sample(std::size_t n, Pack u) const { put(trace.sample, n, u); }
  void denominator(std::size_t k, Pack d) const { put(trace.denominator, k, d); }
  void step(std::size_t k, const kernel::StepResult<Pack>& result) const {
    put(trace.activation, k, result.state.activation);
    put(trace.fibre_length, k, result.state.fibre_length);
    put(trace.fibre_velocity, k, result.state.fibre_velocity);
    put(trace.tendon_strain, k, result.tendon_strain);
    put(trace.mtu_force, k, result.mtu_force);
  }
};

template <std::size_t N>
struct SensitivityOutput {
  const LaneTrace& trace;
  const LaneSensitivities& result;
  std::size_t first;  ///< step of the first row of `result`
  std::size_t n_kind;

  void sample(std::size_t n, const Dual<Pack, N>& u) const { put(trace.sample, n, u.value); }
  void denominator(std::size_t k, const Dual<Pack, N>& d) const {
    put(trace.denominator, k, d.value);
  }
  void step(std::size_t k, const kernel::StepResult<Dual<Pack, N>>& step) const {
    TraceOutput{trace}.step(k, {{step.state.fibre_length.value, step.state.fibre_velocity.value,
                                 step.state.activation.value, step.state.mtu_length.value},
                                step.tendon_strain.value,
                                step.mtu_force.value});
    // Indices that are known when it is compiled: the partials stay in registers.
    kernel::detail::for_partials<N, kernel::all_partials<N>>([&](auto i) {
      if (i >= n_kind) return;
      const std::size_t row = (k - first) * n_kind + i;
      put_if_asked(result.activation, row, step.state.activation.partial[i]);
      put_if_asked(result.fibre_length, row, step.state.fibre_length.partial[i]);
      put_if_asked(result.fibre_velocity, row, step.state.fibre_velocity.partial[i]);
      put_if_asked(result.tendon_strain, row, step.tendon_strain.partial[i]);
      put_if_asked(result.mtu_force, row, step.mtu_force.partial[i]);
    });
  }
};

struct TraceInput {
  const LaneTrace& trace;

  Pack sample(std::size_t n) const { return at(trace.sample, n); }
  Pack denominator(std::size_t k) const { return at(trace.denominator, k); }
  Pack activation(std::size_t k) const { return at(trace.activation, k); }
  Pack fibre_length(std::size_t k) const { return at(trace.fibre_length, k); }
  Pack fibre_velocity(std::size_t k) const { return at(trace.fibre_velocity, k); }
};

struct SeedInput {
  const LaneSeeds& seeds;

  Pack activation(std::size_t k) const { return at_or_zero(seeds.activation, k); }
  Pack fibre_length(std::size_t k) const { return at_or_zero(seeds.fibre_length, k); }
  Pack fibre_velocity(std::size_t k) const { return at_or_zero(seeds.fibre_velocity, k); }
  Pack tendon_strain(std::size_t k) const { return at_or_zero(seeds.tendon_strain, k); }
  Pack force(std::size_t k) const { return at_or_zero(seeds.mtu_force, k); }
};

struct ExcitationSink {
  const LaneBlock& block;
  double* table;
  Pack by_delay = 0.0;

  void excitation(std::size_t n, Pack derivative) {
    put(table, n, derivative);
    by_delay += derivative * at_or_zero(block.excitation_by_delay, n);
  }
};

// Inlines the whole simulation: values stay in registers, and no pack crosses a call. Not for a
// build with sanitizers, whose checks would make these functions too large to compile.
#if defined(CEINMS_TORCH_FLATTEN)
#define CEINMS_TORCH_WHOLE [[gnu::flatten]]
#else
#define CEINMS_TORCH_WHOLE
#endif

CEINMS_TORCH_WHOLE void forward(const CurveViews& curves, const double* parameters,
                                const LaneBlock& block, const kernel::SimulationOptions& options,
                                const LaneTrace& trace) {
  TraceOutput output{trace};
  kernel::simulate_lanes(pack_curves(curves), Mtu<Pack>(pack_parameters(parameters)),
                         BlockInput{block}, options, output);
}

CEINMS_TORCH_WHOLE void reverse(const CurveViews& curves, const double* parameters,
                                const LaneBlock& block, const kernel::SimulationOptions& options,
                                const LaneTrace& trace, const LaneSeeds& seeds, double* gradient,
                                double* excitation) {
  ExcitationSink sink{block, excitation};
  MtuParameters<Pack> sum =
      kernel::reverse_lanes(pack_curves(curves), Mtu<Pack>(pack_parameters(parameters)),
                            BlockInput{block}, options, TraceInput{trace}, SeedInput{seeds}, sink);
  sum.em_delay = sink.by_delay;
  for (std::size_t row = 0; row < kernel::n_parameter_kind; ++row)
    put(gradient, row, sum[static_cast<ParameterKind>(row)]);
}

/// The state of lanes between two calls, as bytes of a table.
template <class State>
State load_state(const double* table) {
  static_assert(std::is_trivially_copyable_v<State>);
  State state;
  __builtin_memcpy(static_cast<void*>(&state), table, sizeof(state));
  return state;
}
template <class State>
void store_state(const State& state, double* table) {
  __builtin_memcpy(table, &state, sizeof(state));
}

template <std::size_t N, bool by_excitation>
CEINMS_TORCH_WHOLE void simulate_sensitivities(const CurveViews& views, const double* parameters,
                                               const LaneBlock& block,
                                               const kernel::SimulationOptions& options,
                                               const SensitivityWindow& window, double* state,
                                               const LaneTrace& trace,
                                               const LaneSensitivities& result) {
  using D = Dual<Pack, N>;
  using Input = std::conditional_t<by_excitation, DelayedInput<N>, BlockInput>;
  using E = std::conditional_t<by_excitation, D, Pack>;
  using State = kernel::MtuState<D, E>;
  static_assert(sizeof(State) <= n_sensitivity_row * sizeof(Pack));
  std::size_t delay = N;
  const Mtu<D> mtu(MtuParameters<D>::from([&](ParameterKind kind) {
    D value = D::constant(at(parameters, index_of(kind)));
    for (std::size_t i = 0; i < window.n_kind; ++i) {
      if (window.kinds[i] != kind) continue;
      value.partial[i] = Pack(1.0);
      if (kind == ParameterKind::em_delay) delay = i;
    }
    return value;
  }));
  const MtuCurves<PackTable> curves = pack_curves(views);
  const Input input = [&] {
    if constexpr (by_excitation)
      return Input{{block}, delay};
    else
      return Input{block};
  }();
  kernel::MtuStepper<D, E, PackTable> stepper(curves, mtu, load_state<State>(state));
  SensitivityOutput<N> output{trace, result, window.steps.first, window.n_kind};
  kernel::simulate_steps(stepper, input, window.steps, options, output);
  store_state(stepper.state(), state);
}

void sensitivities(const CurveViews& curves, const double* parameters, const LaneBlock& block,
                   const kernel::SimulationOptions& options, const SensitivityWindow& window,
                   double* state, const LaneTrace& trace, const LaneSensitivities& result) {
  // The usual calibration has five such parameters (C1, C2, A, lmo, lts); more are rare, all are
  // for studies.
  constexpr std::size_t usual = 5;
  constexpr std::size_t some = 8;
  static_assert(some < max_sensitivities);
  bool by_excitation = false;  // by what excitations carry into the filter
  for (std::size_t i = 0; i < window.n_kind; ++i)
    by_excitation |=
        window.kinds[i] == ParameterKind::em_delay || window.kinds[i] == ParameterKind::emg_gain;
  const auto run = window.n_kind <= usual && !by_excitation ? &simulate_sensitivities<usual, false>
                   : window.n_kind <= some                  ? &simulate_sensitivities<some, true>
                                           : &simulate_sensitivities<max_sensitivities, true>;
  run(curves, parameters, block, options, window, state, trace, result);
}

/// The steps of the stiff tendon know neither each other nor l and v.
CEINMS_TORCH_WHOLE void linearise_stiff(const MtuCurves<PackTable>& curves,
                                        const double* parameters, const LaneBlock& block,
                                        const LaneTrace& trace, double* slopes) {
  using U = Dual<Pack, 1>;
  const Mtu<U> mtu(MtuParameters<U>::from(
      [&](ParameterKind kind) { return U::constant(at(parameters, index_of(kind))); }));
  for (std::size_t k = 0; k < block.n_step; ++k) {
    const U u{at(trace.sample, block.n_run_in + k), {Pack(1.0)}};
    const kernel::MtuStepper<U, Pack, PackTable> stepper(curves, mtu,
                                                         {.filter = {u, {}, {}, {}}, .fibre = {}});
    const auto step = stepper.stiff(at(block.mtu_length, k), at(block.mtu_velocity, k));
    for (std::size_t row = 0; row < n_slope; ++row) put(slopes, k * n_slope + row, 0.0);
    put(slopes, k * n_slope + force_by_u, step.mtu_force.partial[0]);
  }
}

CEINMS_TORCH_WHOLE void linearise_elastic(const MtuCurves<PackTable>& curves,
                                          const double* parameters, const LaneBlock& block,
                                          const LaneTrace& trace, double* slopes) {
  enum : std::size_t { u, length, velocity, next_u, n };
  using D = Dual<Pack, n>;
  using Stepper = kernel::MtuStepper<D, Pack, PackTable>;
  const auto variable = [](const double* table, std::size_t row, std::size_t index) {
    return D::variable(at(table, row), Pack(1.0), index);
  };
  const Mtu<D> mtu(MtuParameters<D>::from(
      [&](ParameterKind kind) { return D::constant(at(parameters, index_of(kind))); }));
  const kernel::ExponentialActivation<D> activation_at(mtu.parameters.shape_factor);
  const auto put_state = [&](std::size_t k, const kernel::FibreState<D>& fibre) {
    const auto put_row = [&](std::size_t first, const D& by) {
      for (std::size_t i = 0; i < n; ++i) put(slopes, k * n_slope + first + i, by.partial[i]);
    };
    put_row(length_by_past_u, fibre.fibre_length);
    put_row(velocity_by_past_u, fibre.fibre_velocity);
  };
  Stepper first(
      curves, mtu,
      {.filter = {variable(trace.sample, block.n_run_in, next_u), {}, {}, {}}, .fibre = {}});
  first.start(at(block.mtu_length, 0));
  put_state(0, first.state().fibre.state);
  Pack onset = first.state().fibre.onset;
  for (std::size_t k = 0; k < block.n_step; ++k) {
    const D a = activation_at(variable(trace.sample, block.n_run_in + k, u));
    Stepper here(curves, mtu,
                 {.filter = {},
                  .fibre = {.state = {variable(trace.fibre_length, k, length),
                                      variable(trace.fibre_velocity, k, velocity), a,
                                      D::constant(at(block.mtu_length, k))},
                            .imbalance = {},
                            .onset = onset}});
    const D force = here.forces().mtu_force;
    put(slopes, k * n_slope + force_by_u, force.partial[u]);
    put(slopes, k * n_slope + force_by_length, force.partial[length]);
    put(slopes, k * n_slope + force_by_velocity, force.partial[velocity]);
    if (k + 1 == block.n_step) break;
    auto state = here.state();
    state.filter.u1 = variable(trace.sample, block.n_run_in + k + 1, next_u);
    Stepper next(curves, mtu, state);
    next.advance(at(block.mtu_length, k + 1), at(block.time_step, k + 1));
    put_state(k + 1, next.state().fibre.state);
    onset = next.state().fibre.onset;
  }
}

void linearise(const CurveViews& views, const double* parameters, const LaneBlock& block,
               const kernel::SimulationOptions& options, const LaneTrace& trace, double* slopes) {
  const auto run =
      options.tendon == kernel::TendonModel::stiff ? &linearise_stiff : &linearise_elastic;
  run(pack_curves(views), parameters, block, trace, slopes);
}

using State = kernel::MtuState<Pack>;
using Stepper = kernel::MtuStepper<Pack, Pack, PackTable>;
static_assert(sizeof(State) == n_state_row * sizeof(Pack));

CEINMS_TORCH_WHOLE void step(const CurveViews& views, const double* parameters,
                             const LaneInstant& instant, kernel::TendonModel tendon, double* state,
                             const LaneTrace& now) {
  const MtuCurves<PackTable> curves = pack_curves(views);
  const Mtu<Pack> mtu(pack_parameters(parameters));
  Stepper stepper(curves, mtu, load_state<State>(state));
  if (instant.is_third != nullptr) {
    Mask is_third;
    __builtin_memcpy(&is_third.bits, instant.is_third, sizeof(is_third.bits));
    stepper.restart_filter_where(is_third);
  }
  stepper.sample(at(instant.excitation, 0));
  if (instant.mtu_length != nullptr) {
    const Pack length = at(instant.mtu_length, 0);
    if (tendon == kernel::TendonModel::stiff) {
      TraceOutput{now}.step(0, stepper.stiff(length, at(instant.mtu_velocity, 0)));
    } else {
      TraceOutput{now}.step(0, instant.is_first
                                   ? stepper.start(length)
                                   : stepper.advance(length, Pack(instant.time_step)).result);
    }
  }
  store_state(stepper.state(), state);
}

CEINMS_TORCH_WHOLE void adopt_parameters(const CurveViews& views, const double* parameters,
                                         double* state) {
  const MtuCurves<PackTable> curves = pack_curves(views);
  const Mtu<Pack> mtu(pack_parameters(parameters));
  Stepper stepper(curves, mtu, load_state<State>(state));
  stepper.forces();
  store_state(stepper.state(), state);
}

#define CEINMS_TORCH_STRING_OF(name) #name
#define CEINMS_TORCH_STRING(name) CEINMS_TORCH_STRING_OF(name)

}  // namespace

const Backend& CEINMS_TORCH_BACKEND() {
  static constexpr Backend backend{CEINMS_TORCH_STRING(CEINMS_TORCH_ISA),
                                   pack_width,
                                   &forward,
                                   &reverse,
                                   &sensitivities,
                                   &linearise,
                                   &step,
                                   &adopt_parameters,
                                   &CEINMS_TORCH_ISA::dense_algebra,
                                   &CEINMS_TORCH_ISA::linear_trial_algebra,
                                   &CEINMS_TORCH_ISA::path_lengths};
  return backend;
}

}  // namespace ceinms_torch::engine
