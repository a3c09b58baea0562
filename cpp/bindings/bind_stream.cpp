/// Real time for Python: one instant in, one instant out.

#include "arrays.hpp"
#include "bind_kernel.hpp"
#include "ceinms_torch/engine/path_set.hpp"
#include "ceinms_torch/engine/stream.hpp"
#include "names.hpp"

#include <span>
#include <string>

namespace ceinms_torch::bindings {
namespace {

using engine::Stream;
using Flags = py::array_t<bool, py::array::c_style | py::array::forcecast>;

py::ssize_t n_mtu_of(const Stream& stream) {
  return static_cast<py::ssize_t>(stream.n_mtu());
}

Array copy_of(std::span<const double> values) {
  return Array(static_cast<py::ssize_t>(values.size()), values.data());
}

/// A property that copies one of the last instant's quantities.
template <std::span<const double> (Stream::*quantity)() const noexcept>
Array last(const Stream& stream) {
  return copy_of((stream.*quantity)());
}

std::unique_ptr<Stream> make_stream(const Tables& tables, const Array& parameters,
                                    const Flags& acts, double rate, double longest_delay,
                                    const std::string& tendon, const std::string& filter_start,
                                    const std::string& instruction_set) {
  if (acts.ndim() != 2 || acts.shape(1) == 0)
    throw InputError("acts", "shape (n_dof, n_mtu) of at least one MTU", shape_of(acts));
  check_parameters(parameters, acts.shape(1));
  engine::StreamSetup setup{
      .n_mtu = static_cast<std::size_t>(acts.shape(1)),
      .parameters = {parameters.data(), parameters.data() + parameters.size()},
      .mtus_of_dof = {},
      .rate = rate,
      .longest_delay = longest_delay,
      .simulation = simulation_options(tendon, filter_start)};
  for (py::ssize_t dof = 0; dof < acts.shape(0); ++dof) {
    setup.mtus_of_dof.emplace_back();
    for (py::ssize_t mtu = 0; mtu < acts.shape(1); ++mtu)
      if (acts.at(dof, mtu)) setup.mtus_of_dof.back().push_back(static_cast<std::size_t>(mtu));
  }
  return std::make_unique<Stream>(backend_named(instruction_set),
                                  std::make_shared<const engine::CurveTables>(to_curves(tables)),
                                  setup);
}

void run_in(Stream& stream, const Array& excitation) {
  const py::ssize_t n_row = excitation.ndim() == 2 ? excitation.shape(0) : 0;
  check_shape("excitation", excitation, {n_row, n_mtu_of(stream)});
  check_finite("excitation", excitation);
  for (py::ssize_t row = 0; row < n_row; ++row) stream.run_in(excitation.data(row, 0));
}

/// Keeps the GIL: a step is over long before another thread could make use of it, and getting it
/// back from one that computes may take milliseconds.
std::pair<Array, Array> step(Stream& stream, const Array& excitation, const Array& mtu_length,
                             const Array& moment_arm) {
  const py::ssize_t n_mtu = n_mtu_of(stream);
  check_shape("excitation", excitation, {n_mtu});
  check_shape("mtu_length", mtu_length, {n_mtu});
  check_shape("moment_arm", moment_arm, {static_cast<py::ssize_t>(stream.n_dof()), n_mtu});
  stream.step(excitation.data(), mtu_length.data(), moment_arm.data());
  return {copy_of(stream.mtu_force()), copy_of(stream.joint_moment())};
}

/// Keeps the GIL, too.
std::pair<Array, Array> step_at(Stream& stream, const engine::PathSet& paths,
                                const Array& excitation, const Array& coordinates) {
  check_shape("excitation", excitation, {n_mtu_of(stream)});
  check_shape("coordinates", coordinates, {static_cast<py::ssize_t>(paths.n_coordinate())});
  stream.step(excitation.data(), paths, coordinates.data());
  return {copy_of(stream.mtu_force()), copy_of(stream.joint_moment())};
}

}  // namespace

void bind_stream(py::module_& module) {
  py::class_<Stream>(
      module, "Stream",
      "A simulation that goes on instant by instant. Allocates what it needs when it "
      "is made. For one thread at a time.")
      .def(py::init(&make_stream), py::kw_only(), "tables"_a, "parameters"_a, "acts"_a, "rate"_a,
           "longest_delay"_a, "tendon"_a, "filter_start"_a, "instruction_set"_a = "auto",
           "acts (n_dof, n_mtu): which MTUs act on which DOF; rate [Hz]; longest_delay [s].")
      .def("run_in", &run_in, "excitation"_a,
           "Let the activation filter run over excitations (n_row, n_mtu) before the first step.")
      .def("step", &step, "excitation"_a, "mtu_length"_a, "moment_arm"_a,
           "The next instant: excitation (n_mtu), mtu_length (n_mtu) [m], moment_arm (n_dof, "
           "n_mtu) [m] to MTU forces (n_mtu) [N] and joint moments (n_dof) [N m].")
      .def("step_at", &step_at, "paths"_a, "excitation"_a, "coordinates"_a,
           "The next instant, with lengths and moment arms from coordinates (n_coordinate) [rad].")
      .def(
          "set_parameters",
          [](Stream& stream, const Array& parameters) {
            check_parameters(parameters, n_mtu_of(stream));
            stream.set_parameters(parameters.data());
          },
          "parameters"_a, "Replace parameters (n_kind, n_mtu) and go on from the present state.")
      .def("reset", &Stream::reset, "Back to rest, before the first instant.")
      .def_property_readonly("n_step", &Stream::n_step)
      .def_property_readonly("n_clamped", &Stream::n_clamped)
      .def_property_readonly("activation", &last<&Stream::activation>)
      .def_property_readonly("fibre_length", &last<&Stream::fibre_length>)
      .def_property_readonly("fibre_velocity", &last<&Stream::fibre_velocity>)
      .def_property_readonly("tendon_strain", &last<&Stream::tendon_strain>)
      .def_property_readonly("mtu_force", &last<&Stream::mtu_force>)
      .def_property_readonly("joint_moment", &last<&Stream::joint_moment>);
}

}  // namespace ceinms_torch::bindings
