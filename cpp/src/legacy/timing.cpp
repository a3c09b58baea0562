#include "ceinms_torch/legacy/timing.hpp"

#include "ceinms_torch/kernel/sampling.hpp"
#include "ceinms_torch/kernel/spline_system.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ceinms_torch::legacy {
namespace {

/// `a < b` with CEINMS's tolerance.
bool is_before(double a, double b) noexcept {
  return std::abs(a - b) > kernel::time_tolerance && a < b;
}

/// Append the derivatives of the spline's slope at its last knot by its values.
void append_weights(std::span<const double> time, std::vector<double>& weights) {
  const std::size_t n = time.size();
  if (n == 1) weights.push_back(0.0);
  if (n == 2)
    weights.insert(weights.end(), {-1.0 / (time[1] - time[0]), 1.0 / (time[1] - time[0])});
  if (n > 2) kernel::append_end_slope_weights(time, weights);
}

}  // namespace

EmgRows emg_rows(std::span<const double> time, std::span<const double> emg_time, double delay) {
  EmgRows result;
  std::size_t next = 0;
  for (const double at : time) {
    // Without a row at hand the frame before has used up all that are early enough.
    const bool is_first = result.row.empty();
    if (!is_first && !is_before(emg_time[result.row.back()] + delay, at)) break;
    const std::size_t begin = next;
    while (next < emg_time.size() && is_before(emg_time[next] + delay, at)) ++next;
    if (next == emg_time.size()) break;
    if (is_first) result.run_in = next;
    result.has_gaps |= !is_first && next > begin;
    result.row.push_back(next++);
  }
  return result;
}

CausalSlope::CausalSlope(std::span<const double> time, std::size_t n_point) : first_{0} {
  for (std::size_t frame = 0; frame < time.size(); ++frame) {
    const std::size_t n = std::min(n_point, frame + 1);
    append_weights(time.subspan(frame + 1 - n, n), weights_);
    first_.push_back(weights_.size());
  }
}

}  // namespace ceinms_torch::legacy
