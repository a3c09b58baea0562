#include "ceinms_torch/engine/stream.hpp"

#include "ceinms_torch/kernel/input_error.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace ceinms_torch::engine {

using kernel::InputError;
using kernel::n_parameter_kind;
using kernel::number_text;
using kernel::ParameterKind;

namespace {

constexpr auto em_delay_row = static_cast<std::size_t>(ParameterKind::em_delay);

void check_finite(const char* name, const double* values, std::size_t n) {
  // A sum of zeros unless one of them is NaN or infinite.
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += 0.0 * values[i];
  if (sum == 0.0) return;
  throw InputError(name, "finite numbers", "NaN or infinity");
}

void check_delays(const double* parameters, std::size_t n_mtu, double longest) {
  for (std::size_t mtu = 0; mtu < n_mtu; ++mtu) {
    const double delay = parameters[em_delay_row * n_mtu + mtu];
    if (delay >= 0.0 && delay <= longest) continue;
    throw InputError("emDelay of MTU " + std::to_string(mtu), "0 to " + number_text(longest) + " s",
                     number_text(delay) + " s",
                     "set the stream up with a longest delay that covers it");
  }
}

void fill(AlignedBuffer& buffer, double value) noexcept {
  std::fill(buffer.data(), buffer.data() + buffer.size(), value);
}

}  // namespace

Stream::Stream(const Backend& backend, std::shared_ptr<const CurveTables> curves,
               const StreamSetup& setup)
    : backend_(&backend),
      curves_(std::move(curves)),
      options_(setup.simulation),
      mtus_of_dof_(setup.mtus_of_dof),
      rate_(setup.rate),
      longest_delay_(setup.longest_delay),
      n_mtu_(setup.n_mtu),
      n_lane_(backend.in_whole_packs(n_mtu_)) {
  if (n_mtu_ == 0 || setup.parameters.size() != n_parameter_kind * n_mtu_)
    throw InputError("parameters",
                     std::to_string(n_parameter_kind) + " for each of at least one MTU",
                     std::to_string(setup.parameters.size()));
  if (!(rate_ >= lowest_rate && rate_ <= highest_rate))
    throw InputError("rate", number_text(lowest_rate) + " to " + number_text(highest_rate) + " Hz",
                     number_text(rate_));
  if (!(longest_delay_ >= 0.0 && longest_delay_ * rate_ <= most_delayed))
    throw InputError("longest_delay", "0 to " + number_text(most_delayed / rate_) + " s",
                     number_text(longest_delay_),
                     "at most " + number_text(most_delayed) + " samples are kept");
  for (const std::vector<std::size_t>& mtus : mtus_of_dof_)
    for (const std::size_t mtu : mtus)
      if (mtu >= n_mtu_) throw InputError("mtus_of_dof", "indices of MTUs", std::to_string(mtu));

  // The newest sample, the oldest that a delay reaches back to, and one for rounding.
  n_history_ = std::bit_ceil(static_cast<std::size_t>(std::ceil(longest_delay_ * rate_)) + 2);
  delays_.resize(n_lane_);
  is_third_.resize(n_lane_);
  moment_.resize(mtus_of_dof_.size());
  path_length_.resize(n_mtu_);
  path_arm_.resize(mtus_of_dof_.size() * n_mtu_);
  parameters_ = AlignedBuffer(n_parameter_kind * n_lane_);
  state_ = AlignedBuffer(n_state_row * n_lane_);
  history_ = AlignedBuffer(n_history_ * n_lane_);
  for (AlignedBuffer* buffer : {&excitation_, &mtu_length_, &mtu_velocity_})
    *buffer = AlignedBuffer(n_lane_);
  results_ = AlignedBuffer(kernel::all_quantities.size() * n_lane_);
  double* next = results_.data();
  for (const kernel::Quantity quantity : kernel::all_quantities)
    now_[quantity] = std::exchange(next, next + n_lane_);
  set_parameters(setup.parameters.data());
}

void Stream::set_delay(std::size_t lane) noexcept {
  const std::size_t width = backend_->width;
  const std::size_t row = lane / width * n_parameter_kind + em_delay_row;
  // kernel::excitation_row of sample n is n - shift.
  const double shift = parameters_[row * width + lane % width] * rate_;
  const double whole = std::ceil(shift);
  const auto n_whole = static_cast<std::size_t>(whole);
  // The ramp up from zero counts if it is more than rounding.
  const bool ramp_counts = whole > 0.0 && kernel::has_started(whole - 1.0 - shift, rate_);
  delays_[lane] = {n_whole, whole - shift, ramp_counts ? n_whole - 1 : n_whole};
  last_third_ = std::max(last_third_, delays_[lane].first + kernel::n_before_restart);
}

void Stream::set_parameters(const double* parameters) {
  check_finite("parameters", parameters, n_parameter_kind * n_mtu_);
  check_delays(parameters, n_mtu_, longest_delay_);
  const std::size_t width = backend_->width;
  for (std::size_t lane = 0; lane < n_lane_; ++lane) {
    // Lanes beyond the last MTU repeat it; nobody reads them.
    const std::size_t mtu = std::min(lane, n_mtu_ - 1);
    double* column = parameters_.data() + lane / width * n_parameter_kind * width + lane % width;
    for (std::size_t kind = 0; kind < n_parameter_kind; ++kind)
      column[kind * width] = parameters[kind * n_mtu_ + mtu];
    // A filter that has restarted does not do so again for a longer delay.
    const std::size_t first = delays_[lane].first;
    const bool has_restarted = n_sample_ > first + kernel::n_before_restart;
    set_delay(lane);
    if (has_restarted) delays_[lane].first = std::min(delays_[lane].first, first);
  }
  if (n_step_ == 0 || options_.tendon == kernel::TendonModel::stiff) return;
  for (std::size_t lane = 0; lane < n_lane_; lane += width)
    backend_->adopt_parameters(curves_->views(), parameters_.data() + lane * n_parameter_kind,
                               state_.data() + lane * n_state_row);
}

void Stream::take_excitation(const double* excitation) noexcept {
  const std::size_t mask = n_history_ - 1;
  double* newest = history_.data() + (n_sample_ & mask) * n_lane_;
  for (std::size_t lane = 0; lane < n_lane_; ++lane) {
    const double value = excitation[std::min(lane, n_mtu_ - 1)];
    newest[lane] = std::clamp(value, 0.0, 1.0);
    n_clamped_ += lane < n_mtu_ && newest[lane] != value;
  }
  for (std::size_t lane = 0; lane < n_lane_; ++lane) {
    const Delay& delay = delays_[lane];
    excitation_[lane] = 0.0;
    if (n_sample_ < delay.first) continue;
    // Rows that are not there yet, before the first sample, are zero.
    const std::size_t below = n_sample_ - delay.whole;  // may wrap to "-1", and so does the mask
    const std::size_t above = delay.whole == 0 ? below : below + 1;
    excitation_[lane] =
        kernel::interpolate(history_[(below & mask) * n_lane_ + lane],
                            history_[(above & mask) * n_lane_ + lane], delay.fraction);
  }
}

void Stream::run_lanes(bool with_lengths) noexcept {
  const bool restarts =
      options_.filter_start == kernel::FilterStart::ceinms && n_sample_ <= last_third_;
  if (restarts)
    for (std::size_t lane = 0; lane < n_lane_; ++lane)
      is_third_[lane] = n_sample_ == delays_[lane].first + kernel::n_before_restart ? -1 : 0;
  for (std::size_t lane = 0; lane < n_lane_; lane += backend_->width) {
    const LaneInstant instant{.excitation = excitation_.data() + lane,
                              .is_third = restarts ? is_third_.data() + lane : nullptr,
                              .mtu_length = with_lengths ? mtu_length_.data() + lane : nullptr,
                              .mtu_velocity = mtu_velocity_.data() + lane,
                              .time_step = 1.0 / rate_,
                              .is_first = n_step_ == 0};
    LaneTrace now;
    for (const kernel::Quantity quantity : kernel::all_quantities)
      now[quantity] = now_[quantity] + lane;
    backend_->step(curves_->views(), parameters_.data() + lane * n_parameter_kind, instant,
                   options_.tendon, state_.data() + lane * n_state_row, now);
  }
  ++n_sample_;
}

void Stream::run_in(const double* excitation) {
  if (n_step_ > 0)
    throw std::logic_error("run_in: expected before the first step, got after. Reset the stream.");
  check_finite("excitation", excitation, n_mtu_);
  take_excitation(excitation);
  run_lanes(false);
}

void Stream::step(const double* excitation, const double* mtu_length, const double* moment_arm) {
  check_finite("excitation", excitation, n_mtu_);
  check_finite("mtu_length", mtu_length, n_mtu_);
  check_finite("moment_arm", moment_arm, n_dof() * n_mtu_);
  take_excitation(excitation);
  for (std::size_t lane = 0; lane < n_lane_; ++lane) {
    const double length = mtu_length[std::min(lane, n_mtu_ - 1)];
    mtu_velocity_[lane] = n_step_ == 0 ? 0.0 : (length - mtu_length_[lane]) * rate_;
    mtu_length_[lane] = length;
  }
  run_lanes(true);
  ++n_step_;
  for (std::size_t dof = 0; dof < n_dof(); ++dof) {
    moment_[dof] = 0.0;
    for (const std::size_t mtu : mtus_of_dof_[dof])
      moment_[dof] += moment_arm[dof * n_mtu_ + mtu] * now_.mtu_force[mtu];
  }
}

void Stream::step(const double* excitation, const PathSet& paths, const double* coordinates) {
  if (paths.n_mtu() != n_mtu_ || paths.n_dof() != n_dof())
    throw InputError("paths",
                     std::to_string(n_mtu_) + " MTUs and " + std::to_string(n_dof()) + " DOFs",
                     std::to_string(paths.n_mtu()) + " and " + std::to_string(paths.n_dof()));
  check_finite("coordinates", coordinates, paths.n_coordinate());
  paths.evaluate(coordinates, path_length_.data(), path_arm_.data());
  step(excitation, path_length_.data(), path_arm_.data());
}

void Stream::reset() noexcept {
  for (AlignedBuffer* buffer : {&state_, &history_, &results_}) fill(*buffer, 0.0);
  std::fill(moment_.begin(), moment_.end(), 0.0);
  n_sample_ = n_step_ = n_clamped_ = last_third_ = 0;
  for (std::size_t lane = 0; lane < n_lane_; ++lane) set_delay(lane);
}

}  // namespace ceinms_torch::engine
