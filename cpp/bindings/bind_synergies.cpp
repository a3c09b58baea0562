/// The synergy-hybrid problem of the fused engine for Python.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/calibration/synergy_problem.hpp"
#include "names.hpp"

#include <algorithm>
#include <string>

namespace ceinms_torch::bindings {
namespace {

using calibration::Problem;
using calibration::SynergyData;
using calibration::SynergyProblem;

SynergyData make_synergies(std::size_t n_synergy, const Indices& synthesised, const Indices& tied,
                           const std::vector<Array>& recorded, const std::vector<Array>& expected,
                           const std::vector<std::size_t>& n_row,
                           const std::vector<std::size_t>& rows_per_node,
                           const std::vector<double>& row_interval, bool shared_weightings,
                           bool exact_bounds, const terms::SynergyObjective& objective) {
  if (n_synergy == 0) throw InputError("n_synergy", "at least 1", "0");
  if (synthesised.size() == 0) throw InputError("synthesised", "at least one MTU", "none");
  check_unique("synthesised", synthesised);
  check_unique("tied", tied);
  for (const std::size_t place : to_indices(tied))
    if (place >= static_cast<std::size_t>(synthesised.size()))
      throw InputError("tied", "indices from 0 to " + std::to_string(synthesised.size() - 1),
                       std::to_string(place));
  if (n_row.empty() || recorded.size() != n_row.size() || expected.size() != n_row.size() ||
      rows_per_node.size() != n_row.size())
    throw InputError("recorded, expected, rows_per_node", "one per trial",
                     std::to_string(recorded.size()) + ", " + std::to_string(expected.size()) +
                         " and " + std::to_string(rows_per_node.size()));
  if (row_interval.size() != n_row.size() ||
      !std::all_of(row_interval.begin(), row_interval.end(),
                   [](double s) { return s > 0.0 && std::isfinite(s); }))
    throw InputError("row_interval", "one positive number per trial", "others");
  if (std::any_of(n_row.begin(), n_row.end(), [](std::size_t n) { return n < 2; }))
    throw InputError("n_row", "at least 2", "fewer");
  SynergyData data{.n_synergy = n_synergy,
                   .n_channel = 0,
                   .synthesised = to_indices(synthesised),
                   .tied = to_indices(tied),
                   .trials = {},
                   .shared_weightings = shared_weightings,
                   .exact_bounds = exact_bounds,
                   .objective = objective};
  for (std::size_t trial = 0; trial < n_row.size(); ++trial) {
    const std::size_t step = rows_per_node[trial];
    if (step == 0 || step >= n_row[trial])
      throw InputError("rows_per_node", "1 to " + std::to_string(n_row[trial] - 1),
                       std::to_string(step));
    const std::size_t n_node = (n_row[trial] - 2) / step + 2;
    if (recorded[trial].ndim() != 2 || recorded[trial].shape(0) == 0)
      throw InputError("recorded", "shape (n_channel, n_node), not empty",
                       shape_of(recorded[trial]));
    check_shape("recorded", recorded[trial],
                {recorded.front().shape(0), static_cast<py::ssize_t>(n_node)});
    check_finite("recorded", recorded[trial]);
    check_shape("expected", expected[trial],
                {static_cast<py::ssize_t>(tied.size()), static_cast<py::ssize_t>(n_node)});
    check_finite("expected", expected[trial]);
    data.n_channel = static_cast<std::size_t>(recorded[trial].shape(0));
    data.trials.push_back({n_row[trial], n_node, step, row_interval[trial],
                           to_vector(recorded[trial]), to_vector(expected[trial])});
  }
  if (n_synergy > data.n_weighted())
    throw InputError(
        "n_synergy",
        "at most one for each of " + std::to_string(data.n_weighted()) + " excitations",
        std::to_string(n_synergy));
  return data;
}

/// InputError unless trials of so many rows and MTUs are those of the synergies.
void check_synergies(const SynergyData& data, const engine::LaneLayout& layout) {
  bool fits = data.trials.size() == layout.n_trial();
  for (std::size_t trial = 0; fits && trial < layout.n_trial(); ++trial)
    fits = data.trials[trial].n_row == layout.n_row(trial);
  if (!fits) throw InputError("synergies", "those of the problem's trials", "others");
  for (const std::size_t mtu : data.synthesised)
    if (mtu >= layout.n_mtu())
      throw InputError("synthesised", "indices from 0 to " + std::to_string(layout.n_mtu() - 1),
                       std::to_string(mtu));
}

}  // namespace

void bind_synergies(py::module_& module) {
  py::class_<SynergyData>(module, "Synergies",
                          "How synergies make excitations, and what these are compared with.")
      .def(py::init(&make_synergies), py::kw_only(), "n_synergy"_a, "synthesised"_a, "tied"_a,
           "recorded"_a, "expected"_a, "n_row"_a, "rows_per_node"_a, "row_interval"_a,
           "shared_weightings"_a, "exact_bounds"_a, "objective"_a);
  py::class_<SynergyProblem, calibration::SmoothProblem, std::shared_ptr<SynergyProblem>>(
      module, "SynergyProblem",
      "A calibration step whose unrecorded excitations are sums of synergies (eq. 5). A point is "
      "the problem's, then weightings (n_set, n_channel + n_synthesised, n_synergy), then "
      "primitives (n_synergy, n_node) of every trial. Takes over the problem.")
      .def(py::init([](std::shared_ptr<Problem> problem, const SynergyData& synergies) {
             check_synergies(synergies, problem->layout());
             return std::make_shared<SynergyProblem>(std::move(problem), synergies);
           }),
           py::kw_only(), "problem"_a.none(false), "synergies"_a);
}

}  // namespace ceinms_torch::bindings
