#include "ceinms_torch/tensor/one_thread.hpp"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>

// Of the OpenMP that torch brings along, if it does: weak, so that nothing is linked for it.
#if defined(__GNUC__) && !defined(_WIN32) && !defined(__APPLE__)
extern "C" __attribute__((weak)) void omp_set_num_threads(int n_thread);
#define CEINMS_TORCH_HAS_OMP (omp_set_num_threads != nullptr)
#endif

namespace ceinms_torch::tensor {
namespace {

/// For this thread alone; does nothing where torch has no OpenMP.
void set_threads([[maybe_unused]] int n_thread) {
#ifdef CEINMS_TORCH_HAS_OMP
  if (CEINMS_TORCH_HAS_OMP) omp_set_num_threads(n_thread);
#endif
}

}  // namespace

OneThread::OneThread(std::int64_t n_number) {
  if (n_number > at::internal::GRAIN_SIZE) return;
  const int n_thread = at::get_num_threads();
  if (n_thread == 1) return;
  n_before_ = n_thread;
  set_threads(1);
}

OneThread::~OneThread() {
  if (n_before_ > 0) set_threads(n_before_);
}

}  // namespace ceinms_torch::tensor
