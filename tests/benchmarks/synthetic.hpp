/// @file synthetic.hpp
/// Subjects and trials of any size for the benchmarks: gait-like signals, four MTUs per DOF.
#pragma once

#include "../cpp/manual_curves.hpp"
#include "ceinms_torch/calibration/problem.hpp"

#include <cmath>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace ceinms_torch::benchmarks {

/// How large a case is. The lower limb data of the README have 12 MTUs, 3 trials, 170 frames.
struct Size {
  std::size_t n_mtu = 12;
  std::size_t n_trial = 3;
  std::size_t n_frame = 170;

  std::size_t n_dof() const { return n_mtu < 4 ? 1 : n_mtu / 4; }
  double mtu_steps() const { return static_cast<double>(n_mtu * n_trial * n_frame); }
};

/// The six parameters that the paper calibrates; the last one only scales the force.
inline constexpr kernel::ParameterKind calibrated[] = {kernel::ParameterKind::c1,
                                                       kernel::ParameterKind::c2,
                                                       kernel::ParameterKind::shape_factor,
                                                       kernel::ParameterKind::optimal_fibre_length,
                                                       kernel::ParameterKind::tendon_slack_length,
                                                       kernel::ParameterKind::strength_coefficient};

/// A trial and the memory behind it.
struct Trial {
  std::vector<double> time, mtu_length, mtu_velocity, moment_arm, excitation;
  kernel::TrialInput input;
};

/// Parameters (n_parameter_kind, n_mtu) of soleus-like MTUs that differ a little.
inline std::vector<double> parameters(std::size_t n_mtu) {
  constexpr double soleus[] = {-0.5, -0.3, -1.1,  0.05, 0.4363, 0.25, 3549,
                               10,   1.2,  0.015, 0.1,  0.15,   1.0};
  static_assert(std::size(soleus) == kernel::n_parameter_kind);
  std::vector<double> result;
  for (const double value : soleus)
    for (std::size_t i = 0; i < n_mtu; ++i)
      result.push_back(value * (1.0 + 0.02 * std::sin(static_cast<double>(i))));
  return result;
}

/// Frames at 100 Hz, excitations at 200 Hz that begin 0.1 s earlier.
inline std::unique_ptr<Trial> make_trial(const Size& size, std::size_t number) {
  constexpr double step = 0.01;
  constexpr double rate = 200.0;
  constexpr double omega = 2.0 * 3.14159265358979;  // a stride a second
  constexpr double start = -0.1;
  const auto n_row = static_cast<std::size_t>(
      std::ceil((step * static_cast<double>(size.n_frame) - start) * rate) + 2);
  const std::vector<double> p = parameters(size.n_mtu);
  const auto of = [&](kernel::ParameterKind kind, std::size_t mtu) {
    return p[static_cast<std::size_t>(kind) * size.n_mtu + mtu];
  };
  auto trial = std::make_unique<Trial>();
  for (std::size_t k = 0; k < size.n_frame; ++k) {
    const double t = step * static_cast<double>(k);
    trial->time.push_back(t);
    for (std::size_t i = 0; i < size.n_mtu; ++i) {
      const double lmo = of(kernel::ParameterKind::optimal_fibre_length, i);
      const double rest = 1.01 * of(kernel::ParameterKind::tendon_slack_length, i) + 0.86 * lmo;
      const double phase = omega * t + static_cast<double>(i + 3 * number);
      trial->mtu_length.push_back(rest + 0.12 * lmo * std::sin(phase));
      trial->mtu_velocity.push_back(0.12 * lmo * omega * std::cos(phase));
    }
    // Every MTU acts on one DOF, every other one on the next, too.
    for (std::size_t dof = 0; dof < size.n_dof(); ++dof)
      for (std::size_t i = 0; i < size.n_mtu; ++i) {
        const bool acts = i % size.n_dof() == dof || (i % 2 == 0 && (i + 1) % size.n_dof() == dof);
        trial->moment_arm.push_back(acts ? (i % 4 < 2 ? 0.04 : -0.04) : 0.0);
      }
  }
  for (std::size_t row = 0; row < n_row; ++row)
    for (std::size_t i = 0; i < size.n_mtu; ++i)
      trial->excitation.push_back(
          0.4 + 0.36 * std::sin(0.006 * omega * static_cast<double>(row + 20 * i)));
  trial->input = {.n_step = size.n_frame,
                  .n_row = n_row,
                  .n_mtu = size.n_mtu,
                  .n_dof = size.n_dof(),
                  .time = trial->time.data(),
                  .mtu_length = trial->mtu_length.data(),
                  .mtu_velocity = trial->mtu_velocity.data(),
                  .moment_arm = trial->moment_arm.data(),
                  .excitation = trial->excitation.data(),
                  .excitation_start = start,
                  .excitation_rate = rate};
  return trial;
}

/// All trials of a case, and what is made of them.
class Case {
 public:
  explicit Case(const Size& size) : size_(size), start_(parameters(size.n_mtu)) {
    for (std::size_t i = 0; i < size.n_trial; ++i) {
      trials_.push_back(make_trial(size, i));
      inputs_.push_back(trials_.back()->input);
    }
  }

  const Size& size() const { return size_; }
  const std::vector<double>& start() const { return start_; }
  const std::vector<kernel::TrialInput>& inputs() const { return inputs_; }

  engine::Workspace workspace(const engine::Backend& backend, std::size_t n_thread) const {
    return {engine::LaneLayout(backend, inputs_), tables(), {}, n_thread};
  }

  /// C1, C2 and A for all MTUs together; optimal fibre length, tendon slack length and strength
  /// of each MTU.
  calibration::Problem problem(const engine::Backend& backend, std::size_t n_thread) const {
    calibration::ProblemData data{
        .map = {.start = start_, .lower = {}, .upper = {}, .slot = {}, .component = {}},
        .measured = {},
        .dofs = {},
        .objective = {},
        .simulation = {}};
    std::get<terms::FibreLength>(data.objective.list).penalties = {{{0.5, 1.5}, 100.0}};
    std::get<terms::TendonStrain>(data.objective.list).penalties = {{{0.0, 0.5}, 100.0}};
    for (const kernel::ParameterKind kind : calibrated) {
      const std::size_t row = static_cast<std::size_t>(kind) * size_.n_mtu;
      for (std::size_t i = 0; i < size_.n_mtu; ++i) {
        if (i == 0 || kind >= kernel::ParameterKind::optimal_fibre_length) {
          data.map.lower.push_back(start_[row + i] - 0.05 * std::abs(start_[row + i]));
          data.map.upper.push_back(start_[row + i] + 0.05 * std::abs(start_[row + i]));
        }
        data.map.slot.push_back(row + i);
        data.map.component.push_back(data.map.lower.size() - 1);
      }
    }
    for (std::size_t dof = 0; dof < size_.n_dof(); ++dof) data.dofs.push_back(dof);
    const std::vector<double> variance(size_.n_dof(), 400.0);
    for (std::size_t t = 0; t < size_.n_trial; ++t) {
      std::vector<double> moment;
      for (std::size_t k = 0; k < size_.n_frame * size_.n_dof(); ++k)
        moment.push_back(40.0 * std::sin(0.01 * static_cast<double>(k)));
      data.measured.push_back({std::move(moment), variance});
    }
    return {backend, inputs_, tables(), std::move(data), n_thread};
  }

 private:
  static std::shared_ptr<const engine::CurveTables> tables() {
    return std::make_shared<const engine::CurveTables>(kernel::testing::manual_curves());
  }

  Size size_;
  std::vector<double> start_;
  std::vector<std::unique_ptr<Trial>> trials_;
  std::vector<kernel::TrialInput> inputs_;
};

}  // namespace ceinms_torch::benchmarks
