/// The model of CEINMS 0.9 for Python: open loop, and excitations searched for frame by frame.

#include "bind_kernel.hpp"
#include "ceinms_torch/legacy/execution.hpp"
#include "ceinms_torch/legacy/gradient_search.hpp"
#include "ceinms_torch/legacy/hybrid.hpp"
#include "legacy_arrays.hpp"
#include "names.hpp"

#include <memory>
#include <optional>

namespace ceinms_torch::bindings {
namespace {

using legacy::Curves;
using legacy::Model;
using Counts = py::array_t<std::int64_t>;

Model make_model(const std::string& tendon, const std::string& activation, bool online,
                 double tolerance) {
  using legacy::ActivationModel;
  using legacy::TendonModel;
  constexpr std::array<std::pair<std::string_view, TendonModel>, 2> tendons{
      {{"stiff", TendonModel::stiff}, {"equilibriumElastic", TendonModel::equilibrium_elastic}}};
  constexpr std::array<std::pair<std::string_view, ActivationModel>, 2> activations{
      {{"exponential", ActivationModel::exponential}, {"piecewise", ActivationModel::piecewise}}};
  check_positive("tolerance", tolerance);
  return {named("tendon", tendon, tendons), named("activation", activation, activations), online,
          tolerance};
}

legacy::AnnealingOptions annealing_options(std::size_t no_epsilon, double rt, double temperature,
                                           std::size_t ns, std::size_t nt, double epsilon,
                                           std::uint64_t max_no_eval, const std::string& variant,
                                           std::uint64_t seed) {
  using legacy::AnnealingVariant;
  constexpr std::array<std::pair<std::string_view, AnnealingVariant>, 2> variants{
      {{"ceinms", AnnealingVariant::ceinms}, {"modern", AnnealingVariant::modern}}};
  const legacy::AnnealingOptions options{
      no_epsilon, rt,      temperature, ns,
      nt,         epsilon, max_no_eval, named("variant", variant, variants),
      seed};
  check(options);
  return options;
}

using Results = py::typing::Dict<py::str, py::array>;

/// New arrays in `result`, and where they are.
legacy::RunOutput allocate(const legacy::Trial& trial, Results& result) {
  const std::size_t n_step = trial.n_step();
  Counts failed(static_cast<py::ssize_t>(trial.n_mtu));
  result["n_failed"] = failed;
  return {allocate_simulation(n_step, trial.n_mtu, trial.n_dof, result),
          new_table(result, "norm_fibre_length", n_step, trial.n_mtu),
          new_table(result, "norm_fibre_velocity", n_step, trial.n_mtu), failed.mutable_data()};
}

Results run(const Tables& tables, const Array& parameters, const LegacyTrial& arrays,
            const Model& model) {
  const Curves curves = to_curves(tables);
  const legacy::Trial trial = arrays.trial(model.online);
  check_parameters(parameters, arrays.data.n_mtu());
  Results result;
  const legacy::RunOutput out = allocate(trial, result);
  {
    // Safe: every array is held by this frame and nothing below touches Python.
    const py::gil_scoped_release release;
    run_open_loop(curves, parameters.data(), trial, model, out);
  }
  return result;
}

Results run_hybrid(const Tables& tables, const Array& parameters, const LegacyTrial& arrays,
                   const Model& model, const Array& measured, double alpha, double beta,
                   double gamma, const Indices& adjust, const Indices& synth, const Indices& dofs,
                   const std::optional<legacy::AnnealingOptions>& annealing) {
  const Curves curves = to_curves(tables);
  const legacy::Trial trial = arrays.trial(true);
  const py::ssize_t n_step = arrays.data.n_step();
  const py::ssize_t n_mtu = arrays.data.n_mtu();
  check_parameters(parameters, n_mtu);
  arrays.data.check_measured(measured);
  check_number("alpha", alpha);
  check_number("beta", beta);
  check_number("gamma", gamma);
  const legacy::HybridOptions options{alpha,
                                      beta,
                                      gamma,
                                      to_indices("adjust", adjust, n_mtu),
                                      to_indices("synth", synth, n_mtu),
                                      to_indices("dofs", dofs, arrays.data.n_dof())};
  Results result;
  Array excitation({n_step, n_mtu});
  Array terms({n_step, py::ssize_t{3}});
  Counts evaluations(n_step);
  const legacy::HybridOutput out{allocate(trial, result), excitation.mutable_data(),
                                 terms.mutable_data(), evaluations.mutable_data()};
  result["adjusted_excitation"] = excitation;
  result["terms"] = terms;
  result["evaluations"] = evaluations;
  const std::function<bool()> go_on = until_interrupted();
  std::size_t n_done = 0;
  {
    const py::gil_scoped_release release;
    legacy::FrameModel frames(curves, parameters.data(), trial, model);
    legacy::FrameProblem problem(frames, measured.data(), options);
    std::unique_ptr<legacy::FrameSearch> search;
    if (annealing)
      search = std::make_unique<legacy::AnnealingSearch>(*annealing, go_on);
    else
      search = std::make_unique<legacy::GradientSearch>(problem);
    n_done = run_hybrid(problem, *search, out, go_on);
  }
  if (n_done < trial.n_step()) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw py::error_already_set();
  }
  return result;
}

py::typing::Tuple<py::int_, py::array_t<std::int64_t>> rows(const Array& time,
                                                            const Array& emg_time, double delay) {
  const auto span = [](const char* name, const Array& array) {
    check_shape(name, array, {array.size()});
    check_finite(name, array);
    return std::span(array.data(), static_cast<std::size_t>(array.size()));
  };
  check_number("em_delay", delay);
  const legacy::EmgRows found =
      legacy::emg_rows(span("time", time), span("excitation_time", emg_time), delay);
  Counts row(static_cast<py::ssize_t>(found.row.size()));
  std::copy(found.row.begin(), found.row.end(), row.mutable_data());
  return py::make_tuple(found.run_in, row);
}

}  // namespace

void bind_legacy(py::module_& module) {
  py::class_<Model>(module, "LegacyModel", "How the model of CEINMS 0.9 is run.")
      .def(py::init(&make_model), py::kw_only(), "tendon"_a, "activation"_a, "online"_a,
           "tolerance"_a);
  py::class_<LegacyTrial>(module, "LegacyTrial", "One trial's data with its EMG rows as recorded.")
      .def(py::init<Trial, Array, double>(), py::kw_only(), "trial"_a, "excitation_time"_a,
           "em_delay"_a, "excitation_time (n_row) [s]; em_delay [s], of all MTUs.");
  module.def("legacy_rows", &rows, "time"_a, "excitation_time"_a, "em_delay"_a,
             "Run-in and the EMG row of every frame, as CEINMS takes them; ends at the first frame "
             "without a row of its own.");
  module.def("legacy_run", &run, py::kw_only(), "tables"_a, "parameters"_a, "trial"_a, "model"_a,
             R"(Run a trial, open loop, as CEINMS 0.9 does.

Returns a dict of arrays (n_step, n_mtu): activation, fibre_length [m], norm_fibre_length,
fibre_velocity [m/s], norm_fibre_velocity, pennation_angle [rad], tendon_strain, mtu_force [N]; joint_moment
(n_step, n_dof) [N m]; n_failed (n_mtu), frames at which the elastic tendon found no equilibrium.)");
  py::class_<legacy::AnnealingOptions>(module, "AnnealingOptions",
                                       "Settings of CEINMS's annealing; variant 'ceinms' or "
                                       "'modern', which alone has a seed.")
      .def(py::init(&annealing_options), py::kw_only(), "no_epsilon"_a, "rt"_a, "temperature"_a,
           "ns"_a, "nt"_a, "epsilon"_a, "max_no_eval"_a, "variant"_a = "ceinms", "seed"_a = 0);
  module.def("legacy_run_hybrid", &run_hybrid, py::kw_only(), "tables"_a, "parameters"_a, "trial"_a,
             "model"_a, "measured"_a, "alpha"_a, "beta"_a, "gamma"_a, "adjust"_a, "synth"_a,
             "dofs"_a, "annealing"_a,
             R"(Search the excitations of some MTUs (indices) frame by frame.

Moments of `dofs` (indices) shall match those measured (n_step, n_dof) [N m]. By annealing as in
CEINMS, or by gradients if annealing is None. Returns what legacy_run does, adjusted_excitation
(n_step, n_mtu), terms (n_step, 3), the unweighted sums of squared moment errors [N^2 m^2], squared
excitations and absolute changes, and evaluations (n_step) of the objective.)");
}

}  // namespace ceinms_torch::bindings
