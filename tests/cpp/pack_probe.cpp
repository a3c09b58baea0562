// packed::exp for one instruction set; compiled once per set, like cpp/src/engine/lanes.cpp, with
//   CEINMS_TORCH_ISA    a name of its own, different from those of the engine
//   CEINMS_TORCH_PROBE  the function that is defined here

#include "ceinms_torch/kernel/pack.hpp"

namespace ceinms_torch::kernel::testing {

/// out[i] = exp(x[i]); n is a multiple of 8.
void CEINMS_TORCH_PROBE(const double* x, std::size_t n, double* out) {
  for (std::size_t i = 0; i < n; i += pack_width) packed::exp(Pack::load(x + i)).store(out + i);
}

}  // namespace ceinms_torch::kernel::testing
