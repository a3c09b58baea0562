#include "ceinms_torch/legacy/timing.hpp"

#include "ceinms_torch/kernel/activation.hpp"
#include "ceinms_torch/kernel/spline.hpp"

#include <algorithm>
#include <cmath>

namespace ceinms_torch::legacy {
namespace {

/// `a < b` with CEINMS's tolerance.
bool is_before(double a, double b) noexcept {
  return std::abs(a - b) > kernel::time_tolerance && a < b;
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
  std::vector<double> unit;
  for (std::size_t frame = 0; frame < time.size(); ++frame) {
    const std::size_t n = std::min(n_point, frame + 1);
    const std::span<const double> window = time.subspan(frame + 1 - n, n);
    for (std::size_t i = 0; i < n; ++i) {
      unit.assign(n, 0.0);
      unit[i] = 1.0;
      weights_.push_back(kernel::CubicSpline(window, unit).derivative(time[frame]));
    }
    first_.push_back(weights_.size());
  }
}

}  // namespace ceinms_torch::legacy
