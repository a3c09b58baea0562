/// MTU lengths and moment arms from coordinates, for Python.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/engine/path_set.hpp"
#include "names.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ceinms_torch::bindings {
namespace {

using engine::PathSet;

std::unique_ptr<PathSet> make_path_set(py::ssize_t n_coordinate,
                                       const std::vector<Indices>& coordinates,
                                       const Indices& orders,
                                       const std::vector<Array>& coefficients, const Indices& dofs,
                                       const std::string& instruction_set) {
  const std::size_t n_mtu = coordinates.size();
  if (n_coordinate < 1)
    throw InputError("n_coordinate", "at least 1", std::to_string(n_coordinate));
  if (orders.ndim() != 1 || orders.size() != static_cast<py::ssize_t>(n_mtu) ||
      coefficients.size() != n_mtu)
    throw InputError("orders, coefficients", "one for each of " + std::to_string(n_mtu) + " MTUs",
                     std::to_string(orders.size()) + " and " + std::to_string(coefficients.size()));
  check_indices("orders", orders, kernel::highest_path_order + 1);
  engine::PathSetSetup setup{.n_coordinate = static_cast<std::size_t>(n_coordinate),
                             .paths = {},
                             .dofs = to_indices("dofs", dofs, n_coordinate)};
  for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
    check_finite("coefficients", coefficients[mtu]);
    setup.paths.push_back({.coordinates = to_indices("coordinates", coordinates[mtu], n_coordinate),
                           .order = static_cast<std::size_t>(orders.data()[mtu]),
                           .coefficients = to_vector(coefficients[mtu])});
  }
  return std::make_unique<PathSet>(backend_named(instruction_set), setup);
}

std::pair<Array, Array> evaluate(const PathSet& paths, const Array& coordinates) {
  const auto n_coordinate = static_cast<py::ssize_t>(paths.n_coordinate());
  const py::ssize_t n_pose = coordinates.ndim() == 2 ? coordinates.shape(0) : 0;
  check_shape("coordinates", coordinates, {n_pose, n_coordinate});
  check_finite("coordinates", coordinates);
  const auto n_mtu = static_cast<py::ssize_t>(paths.n_mtu());
  const auto n_dof = static_cast<py::ssize_t>(paths.n_dof());
  Array length({n_pose, n_mtu});
  Array arm({n_pose, n_dof, n_mtu});
  const double* q = coordinates.data();
  double* to_length = length.mutable_data();
  double* to_arm = arm.mutable_data();
  const py::gil_scoped_release release;
  for (py::ssize_t pose = 0; pose < n_pose; ++pose)
    paths.evaluate(q + pose * n_coordinate, to_length + pose * n_mtu,
                   to_arm + pose * n_dof * n_mtu);
  return {std::move(length), std::move(arm)};
}

}  // namespace

void bind_paths(py::module_& module) {
  py::class_<PathSet>(module, "PathSet",
                      "Lengths of MTUs as polynomials of coordinates, moment arms as minus their "
                      "derivatives. For any number of threads.")
      .def(py::init(&make_path_set), py::kw_only(), "n_coordinate"_a, "coordinates"_a, "orders"_a,
           "coefficients"_a, "dofs"_a, "instruction_set"_a = "auto",
           "For every MTU the indices of its coordinates, its order and its coefficients, the "
           "exponent of the last coordinate running fastest; dofs (n_dof): the coordinate of each.")
      .def("evaluate", &evaluate, "coordinates"_a,
           "Coordinates (n_pose, n_coordinate) [rad] to lengths (n_pose, n_mtu) [m] and moment "
           "arms (n_pose, n_dof, n_mtu) [m].");
}

}  // namespace ceinms_torch::bindings
