/// What the bindings of the legacy layer share: its trials and hooks.
#pragma once

#include "callback.hpp"
#include "ceinms_torch/legacy/trial.hpp"
#include "trial.hpp"

#include <chrono>
#include <functional>

namespace ceinms_torch::bindings {

/// A trial with its EMG rows as recorded.
struct LegacyTrial {
  Trial data;
  Array excitation_time;
  double em_delay;

  legacy::Trial trial(bool online) const {
    const kernel::TrialInput input = data.input();
    check_shape("excitation_time", excitation_time, {static_cast<py::ssize_t>(input.n_row)});
    check_finite("excitation_time", excitation_time);
    return legacy::Trial(input, excitation_time.data(), em_delay, online);
  }
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Asks Python every now and then, not at every evaluation, whether Ctrl-C was pressed.
inline std::function<bool()> until_interrupted() {
  return [watch = Stopwatch(), last = 0.0]() mutable {
    constexpr double interval = 0.05;
    const double now = watch.seconds();
    if (now - last < interval) return true;
    last = now;
    const py::gil_scoped_acquire acquire;
    return call_back(py::none(), 0);
  };
}

}  // namespace ceinms_torch::bindings
