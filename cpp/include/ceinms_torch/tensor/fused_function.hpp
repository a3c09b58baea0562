/// @file fused_function.hpp
/// The fused engine as one node of torch's graph.
#pragma once

#include "ceinms_torch/engine/lanes.hpp"
#include "ceinms_torch/tensor/engine.hpp"

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>

namespace ceinms_torch::tensor {

/// An empty TrialBatch::fused. It keeps the trials laid out in lanes, with the memory and threads
/// of the last call; without one, every call lays them out again.
std::shared_ptr<FusedCache> make_fused_cache();

/// How to run the fused engine.
struct FusedOptions {
  kernel::SimulationOptions simulation;
  const engine::Backend* backend = engine::backends().front();
  std::size_t n_thread = 1;  ///< >= 1
};

/// What `simulate` computes, the whole simulation being one node of the graph.
///
/// Gradients reach `parameters`, batch.excitation and batch.moment_arm, once: a second derivative
/// is refused. The other tensors of the batch and the curves must not require grad. In the padding
/// of a trial every value is that of its last step. All tensors are on the CPU.
///
/// Safe to call from several threads; those that share a batch's cache take turns. The tensors of
/// the batch may change in place between calls.
///
/// @param parameters  (n_parameter_kind, n_mtu), rows in the order of kernel::ParameterKind
Simulation simulate_fused(const Curves& curves, const at::Tensor& parameters,
                          const TrialBatch& batch, const FusedOptions& options);

}  // namespace ceinms_torch::tensor
