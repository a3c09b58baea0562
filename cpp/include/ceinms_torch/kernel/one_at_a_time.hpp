/// @file one_at_a_time.hpp
/// A lock for what one thread at a time may use: it refuses, it does not wait.
#pragma once

#include "ceinms_torch/kernel/input_error.hpp"

#include <atomic>

namespace ceinms_torch::kernel {

/// Waiting would hide a mistake: results of one caller would be those at the other's point.
class OneAtATime {
 public:
  /// As long as it lives nobody else may begin.
  class Use {
   public:
    explicit Use(std::atomic<bool>& busy) noexcept : busy_(busy) {}
    ~Use() { busy_.store(false, std::memory_order_release); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    std::atomic<bool>& busy_;
  };

  /// @throws InputError while somebody else uses it
  Use begin(const char* name) {
    if (busy_.exchange(true, std::memory_order_acquire))
      throw InputError(name, "one call at a time", "another while one is at work",
                       "give each thread a problem of its own");
    return Use(busy_);
  }

 private:
  std::atomic<bool> busy_{false};
};

}  // namespace ceinms_torch::kernel
