#include "ceinms_torch/legacy/trial.hpp"

#include "ceinms_torch/kernel/input_error.hpp"
#include "ceinms_torch/kernel/spline.hpp"

#include <span>
#include <string>

namespace ceinms_torch::legacy {
namespace {

constexpr std::size_t tendon_points = 4;
constexpr std::size_t online_points = 15;

bool has_first_pass(const Trial& trial, const Model& model) noexcept {
  return !model.online && model.tendon != TendonModel::stiff && trial.rows.has_gaps;
}

void differentiate_lengths(const Trial& trial, const Model& model, const MtuTrace& trace,
                           std::vector<double>& velocity) {
  const std::size_t n_step = trial.n_step();
  velocity.resize(n_step);
  if (model.online) {
    const double* length = trace.fibre.length.data();
    for (std::size_t k = 0; k < n_step; ++k)
      velocity[k] =
          trial.velocity_slope.of_past(k, length) + trial.velocity_slope.of_latest(k) * length[k];
    return;
  }
  // The spline goes through the lengths of the first pass, also where those of the second, at
  // which the force is computed, differ.
  const std::vector<double>& length =
      has_first_pass(trial, model) ? trace.first_pass.length : trace.fibre.length;
  const kernel::CubicSpline spline(trial.time, length);
  for (std::size_t k = 0; k < n_step; ++k) velocity[k] = spline.derivative(trial.time[k]);
}

}  // namespace

std::vector<double> transposed(const double* rows, std::size_t n_row, std::size_t n_column) {
  std::vector<double> result(n_row * n_column);
  for (std::size_t row = 0; row < n_row; ++row)
    for (std::size_t column = 0; column < n_column; ++column)
      result[column * n_row + row] = rows[row * n_column + column];
  return result;
}

Trial::Trial(const kernel::TrialInput& input, const double* excitation_time, double em_delay,
             bool online)
    : n_mtu(input.n_mtu),
      n_dof(input.n_dof),
      time(input.time, input.time + input.n_step),
      rows(emg_rows(time, {excitation_time, input.n_row}, em_delay)),
      tendon_slope(time, tendon_points),
      n_row_(input.n_row),
      mtu_length_(transposed(input.mtu_length, input.n_step, n_mtu)),
      moment_arm_(transposed(input.moment_arm, input.n_step, n_dof * n_mtu)),
      excitation_(transposed(input.excitation, input.n_row, n_mtu)) {
  if (rows.row.size() < n_step())
    throw kernel::InputError("excitation_time", "a new row for every step",
                             "none at " + std::to_string(time[rows.row.size()]) + " s");
  if (online) velocity_slope = CausalSlope(time, online_points);
  for (std::size_t i = 0; i < n_dof * n_mtu; ++i) {
    bool acts = false;
    for (std::size_t k = 0; k < n_step(); ++k) acts |= moment_arm_[i * n_step() + k] != 0.0;
    acts_on_.push_back(acts);
  }
}

void activate(const Trial& trial, std::size_t mtu, const kernel::MtuParameters<double>& parameters,
              const Model& model, Activations& out) {
  const double* excitation = trial.excitation(mtu);
  const ActivationCurve curve(model.activation, parameters.shape_factor);
  NeuralActivation charged(parameters);
  for (std::size_t row = 0; row < trial.rows.run_in; ++row) charged.next(excitation[row]);

  const std::vector<std::size_t>& rows = trial.rows.row;
  out.activation.resize(rows.size());
  NeuralActivation filter = charged;
  for (std::size_t k = 0; k < rows.size(); ++k)
    out.activation[k] = curve(filter.next(excitation[rows[k]]));

  if (!has_first_pass(trial, model)) return;
  out.first_pass.resize(rows.size());
  filter = charged;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    for (std::size_t row = k == 0 ? rows[k] : rows[k - 1] + 1; row < rows[k]; ++row)
      filter.repeat(excitation[row]);
    out.first_pass[k] = curve(filter.next(excitation[rows[k]]));
  }
}

void solve_fibre_lengths(const Curves& curves, const Mtu& mtu, const Trial& trial,
                         std::size_t mtu_index, const Model& model,
                         const std::vector<double>& activation, FibreLengths& out) {
  const double* mtu_length = trial.mtu_length(mtu_index);
  out.length.resize(trial.n_step());
  out.failed.clear();
  for (std::size_t k = 0; k < trial.n_step(); ++k) {
    double& length = out.length[k];
    if (model.tendon != TendonModel::stiff) {
      const double past = trial.tendon_slope.of_past(k, out.length.data());
      const double latest = trial.tendon_slope.of_latest(k);
      const auto root =
          equilibrium_fibre_length(curves, mtu, activation[k], mtu_length[k], model.tolerance,
                                   [&](double l) { return past + latest * l; });
      if (root) {
        length = *root;
        continue;
      }
      out.failed.push_back(k);
    }
    length = kernel::stiff_fibre_length(mtu, mtu_length[k]);
  }
}

void MtuTrace::run(const Curves& curves, const Mtu& mtu, const Trial& trial, std::size_t mtu_index,
                   const Model& model, const Activations& activations) {
  if (has_first_pass(trial, model))
    solve_fibre_lengths(curves, mtu, trial, mtu_index, model, activations.first_pass, first_pass);
  solve_fibre_lengths(curves, mtu, trial, mtu_index, model, activations.activation, fibre);
  differentiate_lengths(trial, model, *this, velocity);

  const std::size_t n_step = trial.n_step();
  norm_force.resize(n_step);
  penalty = 0.0;
  std::size_t n_failed = 0;
  for (std::size_t k = 0; k < n_step; ++k) {
    const double length = fibre.length[k];
    norm_force[k] = muscle_force(curves, mtu, length, velocity[k], activations.activation[k]);
    const bool has_failed = n_failed < fibre.failed.size() && fibre.failed[n_failed] == k;
    if (has_failed) ++n_failed;
    penalty += frame_penalty(mtu, length, has_failed);
  }
}

}  // namespace ceinms_torch::legacy
