/// @file timing.hpp
/// Which EMG row acts at which frame (reference B.2, K), and slopes from past frames (C.6, C.7).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ceinms_torch::legacy {

/// The EMG rows that CEINMS feeds to the activation filter.
struct EmgRows {
  std::size_t run_in = 0;        ///< rows 0..run_in-1 charge the filter before the first frame
  std::vector<std::size_t> row;  ///< one per frame; fewer where a frame has no new row
  bool has_gaps = false;         ///< rows between frames are skipped
};

/// Every frame takes the first row after that of the frame before with time + delay >= its time
/// (tolerance 1e-4 s); rows in between are skipped. Ends at the first frame that has no such row.
///
/// @param time      of the frames [s], strictly increasing
/// @param emg_time  of the rows [s], strictly increasing
/// @param delay     electromechanical delay [s]
EmgRows emg_rows(std::span<const double> time, std::span<const double> emg_time, double delay);

/// Slope at every frame of the spline through it and the frames just before, as weights of the
/// values there: the spline is linear in its values, and times do not change.
class CausalSlope {
 public:
  CausalSlope() = default;
  /// @param n_point largest number of frames in a spline, > 0
  CausalSlope(std::span<const double> time, std::size_t n_point);

  /// Weights of the latest frames up to `frame`, in time order; n_point of them, or frame + 1.
  std::span<const double> weights(std::size_t frame) const noexcept {
    return {weights_.data() + first_[frame], first_[frame + 1] - first_[frame]};
  }
  /// What the frames before `frame` contribute. `past` points at the value of frame 0.
  double of_past(std::size_t frame, const double* past) const noexcept {
    const std::span<const double> w = weights(frame);
    const double* value = past + (frame + 1 - w.size());
    double sum = 0.0;
    for (std::size_t i = 0; i + 1 < w.size(); ++i) sum += w[i] * value[i];
    return sum;
  }
  /// Weight of the value at `frame` itself.
  double of_latest(std::size_t frame) const noexcept { return weights(frame).back(); }

 private:
  std::vector<double> weights_;
  std::vector<std::size_t> first_;
};

}  // namespace ceinms_torch::legacy
