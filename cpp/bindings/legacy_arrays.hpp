/// What the bindings of the legacy layer share: its trials and hooks.
#pragma once

#include "callback.hpp"
#include "ceinms_torch/legacy/trial.hpp"
#include "trial.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace ceinms_torch::bindings {

/// A trial with its EMG rows as recorded.
struct LegacyTrial {
  Trial data;
  Array excitation_time;
  double em_delay;

  /// @throws InputError unless there is a time of every row
  LegacyTrial(Trial trial, Array times, double delay)
      : data(std::move(trial)), excitation_time(std::move(times)), em_delay(delay) {
    check_shape("excitation_time", excitation_time, {static_cast<py::ssize_t>(data.input().n_row)});
    check_finite("excitation_time", excitation_time);
    check_increasing("excitation_time", excitation_time);
    check_number("em_delay", em_delay);
  }

  legacy::Trial trial(bool online) const {
    return legacy::Trial(data.input(), excitation_time.data(), em_delay, online);
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

/// Asks Python every now and then, not at every evaluation, whether Ctrl-C was pressed. Once it
/// was, the answer stays, of copies, too.
inline std::function<bool()> until_interrupted() {
  struct State {
    Stopwatch watch;
    double last = 0.0;
    bool go_on = true;
  };
  return [state = std::make_shared<State>()] {
    constexpr double interval = 0.05;
    const double now = state->watch.seconds();
    if (!state->go_on || now - state->last < interval) return state->go_on;
    state->last = now;
    const py::gil_scoped_acquire acquire;
    return state->go_on = call_back(py::none(), 0);
  };
}

}  // namespace ceinms_torch::bindings
