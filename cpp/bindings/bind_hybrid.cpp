/// The synergy-hybrid problem of the fused engine for Python.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/calibration/hybrid_problem.hpp"
#include "names.hpp"

#include <algorithm>
#include <string>

namespace ceinms_torch::bindings {
namespace {

using calibration::HybridProblem;
using calibration::Problem;
using calibration::SynergyData;

void check_synergies(const engine::LaneLayout& layout, std::size_t n_synergy,
                     const Indices& synthesised, const std::vector<Array>& recorded,
                     const std::vector<std::size_t>& rows_per_node,
                     const std::vector<double>& row_interval) {
  if (n_synergy == 0) throw InputError("n_synergy", "at least 1", "0");
  if (synthesised.size() == 0) throw InputError("synthesised", "at least one MTU", "none");
  check_indices("synthesised", synthesised, static_cast<py::ssize_t>(layout.n_mtu()));
  check_unique("synthesised", synthesised);
  if (recorded.size() != layout.n_trial() || rows_per_node.size() != layout.n_trial())
    throw InputError(
        "recorded, rows_per_node", "one per trial",
        std::to_string(recorded.size()) + " and " + std::to_string(rows_per_node.size()));
  if (row_interval.size() != layout.n_trial() ||
      !std::all_of(row_interval.begin(), row_interval.end(), [](double s) { return s > 0.0; }))
    throw InputError("row_interval", "one positive number per trial", "others");
  for (std::size_t trial = 0; trial < layout.n_trial(); ++trial) {
    const std::size_t n_row = layout.n_row(trial);
    const std::size_t step = rows_per_node[trial];
    if (step == 0 || step >= n_row)
      throw InputError("rows_per_node", "1 to " + std::to_string(n_row - 1), std::to_string(step));
    const auto n_node = static_cast<py::ssize_t>((n_row - 2) / step + 2);
    if (recorded[trial].ndim() != 2 || recorded[trial].shape(0) == 0)
      throw InputError("recorded", "shape (n_channel, n_node), not empty",
                       shape_of(recorded[trial]));
    check_shape("recorded", recorded[trial], {recorded.front().shape(0), n_node});
    check_finite("recorded", recorded[trial]);
  }
}

std::shared_ptr<HybridProblem> make_hybrid_problem(
    std::shared_ptr<Problem> problem, std::size_t n_synergy, const Indices& synthesised,
    const std::vector<Array>& recorded, const std::vector<std::size_t>& rows_per_node,
    const std::vector<double>& row_interval, bool shared_weightings, bool exact_bounds,
    const kernel::HybridOptions& options) {
  check_synergies(problem->layout(), n_synergy, synthesised, recorded, rows_per_node, row_interval);
  SynergyData data{.n_synergy = n_synergy,
                   .n_channel = static_cast<std::size_t>(recorded.front().shape(0)),
                   .synthesised = to_indices(synthesised),
                   .trials = {},
                   .shared_weightings = shared_weightings,
                   .exact_bounds = exact_bounds,
                   .options = options};
  for (std::size_t trial = 0; trial < recorded.size(); ++trial)
    data.trials.push_back({static_cast<std::size_t>(recorded[trial].shape(1)), rows_per_node[trial],
                           row_interval[trial], to_vector(recorded[trial])});
  return std::make_shared<HybridProblem>(std::move(problem), std::move(data));
}

}  // namespace

void bind_hybrid(py::module_& module) {
  py::class_<kernel::HybridOptions>(module, "HybridOptions", py::module_local(),
                                    "Weights of what eq. 5 adds.")
      .def(py::init(&hybrid_options), py::kw_only(), py::arg("excitation_weight"),
           py::arg("synthesised_weight"), py::arg("bounds_weight"), py::arg("smoothness_weight"));
  py::class_<HybridProblem, calibration::SmoothProblem, std::shared_ptr<HybridProblem>>(
      module, "HybridProblem",
      "A calibration step whose unrecorded excitations are sums of synergies (eq. 5). A point is "
      "the problem's, then weightings (n_set, n_channel + n_synthesised, n_synergy), then "
      "primitives (n_synergy, n_node) of every trial. Takes over the problem.")
      .def(py::init(&make_hybrid_problem), py::kw_only(), py::arg("problem"), py::arg("n_synergy"),
           py::arg("synthesised"), py::arg("recorded"), py::arg("rows_per_node"),
           py::arg("row_interval"), py::arg("shared_weightings"), py::arg("exact_bounds"),
           py::arg("options"));
}

}  // namespace ceinms_torch::bindings
