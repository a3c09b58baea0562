/// Which of the compiled backends this machine runs.

#include "ceinms_torch/engine/lanes.hpp"

namespace ceinms_torch::engine {

const Backend& baseline_backend();
#if defined(CEINMS_TORCH_X86_64)
const Backend& x86_64_v3_backend();
const Backend& x86_64_v4_backend();
#endif

const std::vector<const Backend*>& backends() {
  static const std::vector<const Backend*> available = [] {
    std::vector<const Backend*> result;
#if defined(CEINMS_TORCH_X86_64)
    if (__builtin_cpu_supports("x86-64-v4")) result.push_back(&x86_64_v4_backend());
    if (__builtin_cpu_supports("x86-64-v3")) result.push_back(&x86_64_v3_backend());
#endif
    result.push_back(&baseline_backend());
    return result;
  }();
  return available;
}

}  // namespace ceinms_torch::engine
