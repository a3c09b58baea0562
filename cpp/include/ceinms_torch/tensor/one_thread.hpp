/// @file one_thread.hpp
/// Small tensors on one thread.
#pragma once

#include <cstdint>

namespace ceinms_torch::tensor {

/// While it lives, the calling thread computes alone if tensors have no more than `n_number`
/// numbers each.
///
/// Torch shares sines and roots of 2000 numbers, and look-ups of 200, among all cores. Where these
/// are busy with something else, it then spends most of its time waiting for them. What other
/// threads do stays as it is, unlike with at::set_num_threads.
class OneThread {
 public:
  explicit OneThread(std::int64_t n_number);
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int n_before_ = 0;  ///< threads to go back to, if there were more
};

}  // namespace ceinms_torch::tensor
