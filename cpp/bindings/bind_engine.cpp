/// The tensor engine for Python.

#include "bind_torch.hpp"
#include "ceinms_torch/tensor/engine.hpp"
#include "ceinms_torch/tensor/fused_function.hpp"

#include <array>
#include <string>
#include <utility>

namespace ceinms_torch::bindings {
namespace {

using TableTensors = std::pair<at::Tensor, at::Tensor>;

tensor::Curves curves_from(const std::array<TableTensors, 4>& tables) {
  const auto table = [&](std::size_t i) {
    return tensor::Table{tables[i].first, tables[i].second};
  };
  tensor::Curves curves{table(0), table(1), table(2), table(3)};
  tensor::check(curves);
  return curves;
}

}  // namespace

void bind_engine(py::module_& module) {
  py::class_<tensor::Curves>(module, "Curves", "The four MTU curves as tensors.")
      .def(py::init(&curves_from), "tables"_a,
           "tables: four (knots, pieces): active, passive, force-velocity, tendon.");

  py::class_<tensor::TrialBatch>(module, "TrialBatch",
                                 "Padded trials side by side; see cpp/README.md for the axes.")
      .def(py::init([](at::Tensor time, at::Tensor mtu_length, at::Tensor mtu_velocity,
                       at::Tensor moment_arm, at::Tensor excitation, at::Tensor excitation_start,
                       at::Tensor excitation_rate, at::Tensor is_valid) {
             tensor::TrialBatch batch{std::move(time),
                                      std::move(mtu_length),
                                      std::move(mtu_velocity),
                                      std::move(moment_arm),
                                      std::move(excitation),
                                      std::move(excitation_start),
                                      std::move(excitation_rate),
                                      std::move(is_valid)};
             tensor::check(batch);
             batch.fused = tensor::make_fused_cache();
             return batch;
           }),
           py::kw_only(), "time"_a, "mtu_length"_a, "mtu_velocity"_a, "moment_arm"_a,
           "excitation"_a, "excitation_start"_a, "excitation_rate"_a, "is_valid"_a)
      .def_readonly("time", &tensor::TrialBatch::time)
      .def_readonly("moment_arm", &tensor::TrialBatch::moment_arm)
      .def_readonly("excitation", &tensor::TrialBatch::excitation)
      .def_readonly("is_valid", &tensor::TrialBatch::is_valid)
      .def(
          "with_excitation",
          [](tensor::TrialBatch batch, at::Tensor excitation) {
            tensor::check_shape("excitation", excitation, batch.excitation.sizes());
            tensor::check_device("excitation", excitation, batch.device());
            tensor::check_numbers("excitation", excitation);
            batch.excitation = std::move(excitation);
            return batch;
          },
          "excitation"_a,
          "The same trials with other excitations (n_row, n_mtu, n_trial), which may carry a "
          "graph.");

  py::class_<tensor::Simulation>(module, "Simulation",
                                 "Trajectories of every MTU and the joint moments, with graph.")
      .def_readonly("activation", &tensor::Simulation::activation)
      .def_readonly("fibre_length", &tensor::Simulation::fibre_length)
      .def_readonly("fibre_velocity", &tensor::Simulation::fibre_velocity)
      .def_readonly("pennation_angle", &tensor::Simulation::pennation_angle)
      .def_readonly("tendon_strain", &tensor::Simulation::tendon_strain)
      .def_readonly("mtu_force", &tensor::Simulation::mtu_force)
      .def_readonly("joint_moment", &tensor::Simulation::joint_moment)
      .def(
          "with_joint_moment",
          [](tensor::Simulation simulation, at::Tensor joint_moment) {
            tensor::check_shape("joint_moment", joint_moment, simulation.joint_moment.sizes());
            tensor::check_device("joint_moment", joint_moment, simulation.joint_moment.device());
            TORCH_CHECK_TYPE(joint_moment.scalar_type() == at::kDouble,
                             "joint_moment: expected dtype float64, got ",
                             joint_moment.scalar_type(), ".");
            simulation.joint_moment = std::move(joint_moment);
            return simulation;
          },
          "joint_moment"_a,
          "The same with other joint moments (n_step, n_dof, n_trial) [N m], which may carry a "
          "graph.");

  module.def(
      "simulate",
      [](const tensor::Curves& curves, const at::Tensor& parameters,
         const tensor::TrialBatch& batch, const std::string& tendon,
         const std::string& filter_start, const std::string& stepping) {
        const kernel::SimulationOptions options = simulation_options(tendon, filter_start);
        const tensor::Stepping how = stepping_named(stepping);
        const py::gil_scoped_release release;
        return tensor::simulate(curves, parameters, batch, options, how);
      },
      "curves"_a, "parameters"_a, "batch"_a, py::kw_only(), "tendon"_a, "filter_start"_a,
      "stepping"_a = "automatic",
      "Simulate all trials at once; differentiable. parameters: (n_kind, n_mtu) float64. stepping: "
      "'compiled' loops over double, on the CPU alone, or 'operations' of LibTorch, step after "
      "step, "
      "on any device; by default the faster one.");

  module.def(
      "simulate_fused",
      [](const tensor::Curves& curves, const at::Tensor& parameters,
         const tensor::TrialBatch& batch, const std::string& tendon,
         const std::string& filter_start, std::size_t threads, const std::string& instruction_set) {
        const tensor::FusedOptions options{simulation_options(tendon, filter_start),
                                           &backend_named(instruction_set), threads};
        const py::gil_scoped_release release;
        return tensor::simulate_fused(curves, parameters, batch, options);
      },
      "curves"_a, "parameters"_a, "batch"_a, py::kw_only(), "tendon"_a, "filter_start"_a,
      "threads"_a = 1, "instruction_set"_a = "auto",
      "What simulate gives, by the fused engine: one node of the graph, differentiable once, by "
      "parameters, excitation and moment_arm. In the padding the last step is repeated. What is "
      "laid out is kept with the batch for the next call.");
}

}  // namespace ceinms_torch::bindings
