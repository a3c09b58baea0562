/// @file recurrence.hpp
/// What goes from step to step, with derivatives that do not: a graph for all steps at once.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace ceinms_torch::tensor {

/// How numbers go from one step to the next.
enum class Stepping {
  automatic,   ///< compiled on the CPU, operations elsewhere
  compiled,    ///< loops over `double`; on the CPU only
  operations,  ///< LibTorch's, step after step, on any device
};

/// Whether to run compiled loops where `tensor` is. Throws c10::ValueError if that cannot be.
bool is_compiled(Stepping stepping, const at::Tensor& tensor);

/// States x(0) = input(0), x(k) = input(k) + jacobian(k - 1) x(k - 1), differentiable by both
/// tensors as often as one likes.
///
/// @param jacobian  (n_step - 1, n_state, n_state, ...)
/// @param input     (n_step, n_state, ...)
at::Tensor linear_recurrence(const at::Tensor& jacobian, const at::Tensor& input,
                             Stepping stepping);

/// The solution x of x(0) = start, x(k) = g(x(k - 1), ...) that was found without a graph, with its
/// derivatives by the implicit function theorem. They exist once: a second derivative is refused.
///
/// @param found     (n_step, n_state, ...), without graph
/// @param once_more (n_step, n_state, ...): start and g at what was found, with a graph to all but
///                  `found`
/// @param jacobian  (n_step - 1, n_state, n_state, ...): dg/dx there, without graph
at::Tensor implicit_trajectory(const at::Tensor& found, const at::Tensor& once_more,
                               const at::Tensor& jacobian, Stepping stepping);

/// A gradient, in a backward pass, that depends on `inputs` (defined, at least one) without a graph
/// that says so. Where it is differentiated by what they come from, c10::NotImplementedError says
/// `message`, whatever other paths lead there.
at::Tensor differentiable_once(const at::Tensor& gradient, const std::vector<at::Tensor>& inputs,
                               const char* message);

}  // namespace ceinms_torch::tensor
