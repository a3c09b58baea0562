/// Threads that were asked for, and those there are.
#pragma once

#include "arrays.hpp"

#include <algorithm>
#include <thread>

namespace ceinms_torch::bindings {

inline void check_threads(std::size_t asked) {
  if (asked == 0) throw InputError("threads", "at least 1", "0");
}

/// Warns where the system let fewer threads start than were asked for and could be busy, `n_task`,
/// or many more were asked for than that.
inline void tell_threads(std::size_t asked, std::size_t n_task, std::size_t started) {
  const std::size_t wanted = std::min(asked, n_task);
  const bool is_idle = asked > n_task && asked > std::thread::hardware_concurrency();
  if (started >= wanted && !is_idle) return;
  py::module_::import("ceinms_torch.errors")
      .attr("warn_of_threads")(asked, started, "has_work"_a = started < wanted);
}

}  // namespace ceinms_torch::bindings
