#include "ceinms_torch/tensor/engine.hpp"

#include "ceinms_torch/tensor/one_thread.hpp"
#include "ceinms_torch/tensor/trajectory.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <cstdint>

namespace ceinms_torch::tensor {
void check_shape(const char* name, const at::Tensor& tensor, at::IntArrayRef expected) {
  TORCH_CHECK_VALUE(tensor.sizes() == expected, name, ": expected shape ", expected, ", got ",
                    tensor.sizes(), ".");
}

namespace {

void check_dense(const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_TYPE(tensor.layout() == at::kStrided, name, ": expected a dense tensor, got ",
                   tensor.layout(), ".");
}

}  // namespace

void check_numbers(const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_TYPE(tensor.scalar_type() == at::kDouble, name, ": expected dtype float64, got ",
                   tensor.scalar_type(), ".");
  check_dense(name, tensor);
  TORCH_CHECK_VALUE(at::isfinite(tensor.detach()).all().item<bool>(), name,
                    ": expected finite numbers, got NaN or infinity.");
}

void check_device(const char* name, const at::Tensor& tensor, at::Device expected) {
  check_dense(name, tensor);
  TORCH_CHECK_VALUE(tensor.device() == expected, name, ": expected on ", expected,
                    ", where the trials are, got on ", tensor.device(), ".");
}

void check(const TrialBatch& batch) {
  TORCH_CHECK_VALUE(batch.mtu_length.dim() == 3, "mtu_length: expected 3 dimensions, got ",
                    batch.mtu_length.dim(), ".");
  const std::int64_t n_step = batch.mtu_length.size(0);
  const std::int64_t n_mtu = batch.mtu_length.size(1);
  const std::int64_t n_trial = batch.mtu_length.size(2);
  TORCH_CHECK_VALUE(n_step > 0 && n_mtu > 0 && n_trial > 0,
                    "mtu_length: expected at least one step, MTU and trial, got shape ",
                    batch.mtu_length.sizes(), ".");
  TORCH_CHECK_VALUE(batch.moment_arm.dim() == 4, "moment_arm: expected 4 dimensions, got ",
                    batch.moment_arm.dim(), ".");
  TORCH_CHECK_VALUE(batch.excitation.dim() == 3 && batch.excitation.size(0) > 0,
                    "excitation: expected 3 dimensions and at least one row, got shape ",
                    batch.excitation.sizes(), ".");
  const auto check_array = [&](const char* name, const at::Tensor& tensor, at::IntArrayRef shape) {
    check_shape(name, tensor, shape);
    check_device(name, tensor, batch.device());
    if (&tensor != &batch.is_valid) check_numbers(name, tensor);
  };
  check_array("time", batch.time, {n_step, n_trial});
  check_array("mtu_length", batch.mtu_length, {n_step, n_mtu, n_trial});
  check_array("mtu_velocity", batch.mtu_velocity, {n_step, n_mtu, n_trial});
  check_array("moment_arm", batch.moment_arm, {n_step, batch.moment_arm.size(1), n_mtu, n_trial});
  check_array("excitation", batch.excitation, {batch.excitation.size(0), n_mtu, n_trial});
  check_array("excitation_start", batch.excitation_start, {n_trial});
  check_array("excitation_rate", batch.excitation_rate, {n_trial});
  check_array("is_valid", batch.is_valid, {n_step, n_trial});
  TORCH_CHECK_VALUE((batch.time.diff(1, 0) > 0.0).all().item<bool>(),
                    "time: expected to increase strictly, got a step that does not.");
  TORCH_CHECK_VALUE((batch.excitation_rate > 0.0).all().item<bool>(),
                    "excitation_rate: expected positive numbers, got one that is not.");
  TORCH_CHECK_TYPE(batch.is_valid.scalar_type() == at::kBool, "is_valid: expected dtype bool, got ",
                   batch.is_valid.scalar_type(), ".");
  TORCH_CHECK_VALUE(batch.is_valid.any(0).all().item<bool>(),
                    "is_valid: expected at least one step per trial, got a trial without any.");
}

void check(const Curves& curves) {
  for (const Table* table : {&curves.active_force_length, &curves.passive_force_length,
                             &curves.force_velocity, &curves.tendon_force_strain}) {
    check_numbers("knots", table->knots);
    check_numbers("pieces", table->pieces);
    const std::int64_t n_knot = table->knots.numel();
    TORCH_CHECK_VALUE(table->knots.dim() == 1 && n_knot > 0,
                      "knots: expected shape [n_knot], not empty, got ", table->knots.sizes(), ".");
    TORCH_CHECK_VALUE((table->knots.diff() > 0.0).all().item<bool>(),
                      "knots: expected to increase strictly, got a knot that does not.");
    check_shape("pieces", table->pieces, {n_knot + 1, 5});
  }
}

void check_parameters(const at::Tensor& parameters, const TrialBatch& batch) {
  check_shape("parameters", parameters,
              {static_cast<std::int64_t>(kernel::n_parameter_kind), batch.mtu_length.size(1)});
  check_device("parameters", parameters, batch.device());
  check_numbers("parameters", parameters);
}

kernel::MtuParameters<at::Tensor> split_parameters(const at::Tensor& parameters) {
  return kernel::MtuParameters<at::Tensor>::from([&](kernel::ParameterKind kind) {
    return parameters.select(0, static_cast<std::int64_t>(kind)).unsqueeze(1);
  });
}

at::Tensor joint_moments(const TrialBatch& batch, const at::Tensor& mtu_force) {
  return (batch.moment_arm * mtu_force.unsqueeze(1)).sum(2);
}

Simulation simulate(const Curves& curves, const at::Tensor& parameters, const TrialBatch& batch,
                    const kernel::SimulationOptions& options, Stepping stepping) {
  check_parameters(parameters, batch);
  check_device("curves", curves.tendon_force_strain.knots, batch.device());
  const OneThread alone(batch.mtu_length.numel());
  const kernel::Mtu<at::Tensor> mtu(split_parameters(parameters));
  Simulation result;
  result.activation = kernel::exponential_activation(
      mtu.parameters.shape_factor,
      neural_activation(mtu.parameters, batch, options.filter_start, stepping));
  if (options.tendon == kernel::TendonModel::stiff) {
    result.fibre_length = kernel::stiff_fibre_length(mtu, batch.mtu_length);
    result.fibre_velocity = kernel::stiff_fibre_velocity(mtu, result.fibre_length, batch.mtu_length,
                                                         batch.mtu_velocity);
  } else {
    const FibreTrajectory fibre =
        rosenbrock_trajectory(curves, mtu, result.activation, batch, stepping);
    result.fibre_length = fibre.length;
    result.fibre_velocity = fibre.velocity;
  }
  // Only the fibre's state is a recurrence; the rest is evaluated for all steps at once.
  const at::Tensor cos_alpha = kernel::cos_pennation(mtu, result.fibre_length);
  result.pennation_angle = kernel::pennation_angle(mtu, result.fibre_length);
  result.tendon_strain =
      kernel::tendon_strain(mtu, result.fibre_length, cos_alpha, batch.mtu_length);
  const kernel::FibreState<at::Tensor> states{result.fibre_length, result.fibre_velocity,
                                              result.activation, batch.mtu_length};
  result.mtu_force = kernel::mtu_force(curves, mtu, states, cos_alpha, options.tendon);
  result.joint_moment = joint_moments(batch, result.mtu_force);
  return result;
}

}  // namespace ceinms_torch::tensor
