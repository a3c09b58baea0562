#include "ceinms_torch/tensor/engine.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ceinms_torch::tensor {
namespace {

using kernel::FibreState;
using kernel::Mtu;
using kernel::MtuParameters;
using kernel::ParameterKind;
using kernel::TendonModel;

/// The filter's samples: the run-in of the trial that has most of it, then the steps. Tensors are
/// (n_sample, n_mtu, n_trial).
struct Samples {
  at::Tensor excitation;
  at::Tensor is_third;          ///< bool, kernel::Sampling::third_sample
  std::vector<bool> any_third;  ///< (n_sample)
  std::size_t n_run_in;
};

/// kernel::Sampling says where samples are; excitations, delays and times carry their derivatives.
Samples sample_excitations(const at::Tensor& em_delay, const TrialBatch& batch) {
  const auto numbers = [](const at::Tensor& tensor) {
    return tensor.detach().to(at::kCPU).contiguous();
  };
  const at::Tensor time = numbers(batch.time.t()), delay = numbers(em_delay);
  const at::Tensor start = numbers(batch.excitation_start), rate = numbers(batch.excitation_rate);
  const std::int64_t n_step = batch.time.size(0), n_row = batch.excitation.size(0);
  const std::int64_t n_mtu = batch.excitation.size(1), n_trial = batch.excitation.size(2);
  const auto sampling = [&](std::int64_t lane, std::size_t n_run_in) {
    const std::int64_t trial = lane % n_trial;
    return kernel::Sampling({.time = time.const_data_ptr<double>() + trial * n_step,
                             .n_step = static_cast<std::size_t>(n_step),
                             .n_row = static_cast<std::size_t>(n_row),
                             .start = start.const_data_ptr<double>()[trial],
                             .rate = rate.const_data_ptr<double>()[trial]},
                            delay.const_data_ptr<double>()[lane / n_trial], n_run_in);
  };
  Samples result{};
  for (std::int64_t lane = 0; lane < n_mtu * n_trial; ++lane)
    result.n_run_in = std::max(result.n_run_in, sampling(lane, 0).n_run_in());
  const auto n_run_in = static_cast<std::int64_t>(result.n_run_in);
  result.any_third.resize(result.n_run_in + static_cast<std::size_t>(n_step));
  at::Tensor table = at::zeros({4, n_run_in + n_step, n_mtu * n_trial}, at::kDouble);
  auto put = table.accessor<double, 3>();
  for (std::int64_t lane = 0; lane < n_mtu * n_trial; ++lane) {
    const kernel::Sampling samples = sampling(lane, result.n_run_in);
    const std::size_t third = samples.third_sample();
    for (std::size_t i = 0; i < samples.n_sample(); ++i) {
      const kernel::Sampling::Place place = samples.place(i);
      const auto row = static_cast<std::int64_t>(i);
      put[0][row][lane] = static_cast<double>(place.below);
      put[1][row][lane] = place.share;
      put[2][row][lane] = place.moves ? 1.0 : 0.0;
      put[3][row][lane] = i == third ? 1.0 : 0.0;
      if (i == third) result.any_third[i] = true;
    }
  }
  table = table.view({4, -1, n_mtu, n_trial}).to(batch.device());
  result.is_third = table[3] != 0.0;

  const at::Tensor steps = kernel::excitation_row(batch.time.unsqueeze(1), em_delay,
                                                  batch.excitation_start, batch.excitation_rate);
  const at::Tensor rows = at::cat({steps.slice(0, 0, 1).expand({n_run_in, -1, -1}), steps});
  // A row of zeros in front stands for row -1.
  const at::Tensor signal =
      at::cat({at::zeros_like(batch.excitation.slice(0, 0, 1)), batch.excitation});
  const at::Tensor below = table[0].to(at::kLong) + 1;
  result.excitation =
      kernel::interpolate(signal.gather(0, below), signal.gather(0, (below + 1).clamp_max(n_row)),
                          table[1] + table[2] * (rows - rows.detach()));
  return result;
}

/// Neural activation at every step. (n_step, n_mtu, n_trial)
at::Tensor neural_activation(const MtuParameters<at::Tensor>& p, const TrialBatch& batch,
                             kernel::FilterStart start) {
  const Samples samples = sample_excitations(p.em_delay, batch);
  const std::vector<at::Tensor> excitation =
      kernel::amplified(p.emg_gain, samples.excitation).unbind(0);
  kernel::ActivationFilter<at::Tensor> filter(p.c1, p.c2, at::zeros_like(excitation.front()));
  std::vector<at::Tensor> result;
  for (std::size_t i = 0; i < excitation.size(); ++i) {
    if (start == kernel::FilterStart::ceinms && samples.any_third[i])
      filter.restart_where(samples.is_third.select(0, static_cast<std::int64_t>(i)));
    const at::Tensor& u = filter.next(excitation[i]);
    if (i >= samples.n_run_in) result.push_back(u);
  }
  return at::stack(result);
}

struct FibreTrajectory {
  at::Tensor length;
  at::Tensor velocity;
};

FibreTrajectory rosenbrock_trajectory(const Curves& curves, const Mtu<at::Tensor>& mtu,
                                      const at::Tensor& activation, const TrialBatch& batch) {
  const std::vector<at::Tensor> a = activation.unbind(0);
  const std::vector<at::Tensor> mtu_length = batch.mtu_length.unbind(0);
  const std::vector<at::Tensor> time_step = batch.time.diff(1, 0).unbind(0);
  const at::Tensor start =
      kernel::equilibrium_fibre_length(curves, mtu, a.front(), mtu_length.front());
  FibreState<at::Tensor> state{start, at::zeros_like(start), a.front(), mtu_length.front()};
  std::vector<at::Tensor> length{state.fibre_length};
  std::vector<at::Tensor> velocity{state.fibre_velocity};
  for (std::size_t step = 1; step < a.size(); ++step) {
    state =
        kernel::rosenbrock_step(curves, mtu, state, a[step], mtu_length[step], time_step[step - 1]);
    length.push_back(state.fibre_length);
    velocity.push_back(state.fibre_velocity);
  }
  return {at::stack(length), at::stack(velocity)};
}

}  // namespace

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
  return MtuParameters<at::Tensor>::from([&](ParameterKind kind) {
    return parameters.select(0, static_cast<std::int64_t>(kind)).unsqueeze(1);
  });
}

at::Tensor joint_moments(const TrialBatch& batch, const at::Tensor& mtu_force) {
  return (batch.moment_arm * mtu_force.unsqueeze(1)).sum(2);
}

Simulation simulate(const Curves& curves, const at::Tensor& parameters, const TrialBatch& batch,
                    const kernel::SimulationOptions& options) {
  check_parameters(parameters, batch);
  check_device("curves", curves.tendon_force_strain.knots, batch.device());
  const Mtu<at::Tensor> mtu(split_parameters(parameters));
  Simulation result;
  result.activation = kernel::exponential_activation(
      mtu.parameters.shape_factor, neural_activation(mtu.parameters, batch, options.filter_start));
  if (options.tendon == TendonModel::stiff) {
    result.fibre_length = kernel::stiff_fibre_length(mtu, batch.mtu_length);
    result.fibre_velocity = kernel::stiff_fibre_velocity(mtu, result.fibre_length, batch.mtu_length,
                                                         batch.mtu_velocity);
  } else {
    const FibreTrajectory fibre = rosenbrock_trajectory(curves, mtu, result.activation, batch);
    result.fibre_length = fibre.length;
    result.fibre_velocity = fibre.velocity;
  }
  // Only the fibre length is a recurrence; the rest is evaluated for all steps at once.
  const at::Tensor cos_alpha = kernel::cos_pennation(mtu, result.fibre_length);
  result.pennation_angle = kernel::pennation_angle(mtu, result.fibre_length);
  result.tendon_strain =
      kernel::tendon_strain(mtu, result.fibre_length, cos_alpha, batch.mtu_length);
  const FibreState<at::Tensor> states{result.fibre_length, result.fibre_velocity, result.activation,
                                      batch.mtu_length};
  result.mtu_force = kernel::mtu_force(curves, mtu, states, cos_alpha, options.tendon);
  result.joint_moment = joint_moments(batch, result.mtu_force);
  return result;
}

}  // namespace ceinms_torch::tensor
