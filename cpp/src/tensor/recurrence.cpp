#include "ceinms_torch/tensor/recurrence.hpp"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ceinms_torch::tensor {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Solves x(k) = input(k) + jacobian(k - 1) x(k - 1), forwards from step 0, or its transpose
/// x(k) = input(k) + jacobian(k)^T x(k + 1), backwards from the last step.
at::Tensor solve_compiled(const at::Tensor& jacobian, const at::Tensor& input, bool transposed) {
  at::Tensor result = input.clone(at::MemoryFormat::Contiguous);
  const std::int64_t n_step = input.size(0), n_state = input.size(1);
  if (result.numel() == 0) return result;
  const std::int64_t n_lane = result.numel() / (n_step * n_state);
  const at::Tensor dense = jacobian.contiguous();
  const double* j = dense.const_data_ptr<double>();
  double* x = result.mutable_data_ptr<double>();
  const auto state = [&](std::int64_t step, std::int64_t row) {
    return x + (step * n_state + row) * n_lane;
  };
  for (std::int64_t i = 1; i < n_step; ++i) {
    const std::int64_t to = transposed ? n_step - 1 - i : i;
    const std::int64_t from = transposed ? to + 1 : to - 1;
    for (std::int64_t row = 0; row < n_state; ++row)
      for (std::int64_t column = 0; column < n_state; ++column) {
        const std::int64_t place = transposed ? column * n_state + row : row * n_state + column;
        const double* by = j + ((transposed ? to : from) * n_state * n_state + place) * n_lane;
        const double* before = state(from, column);
        double* now = state(to, row);
        for (std::int64_t lane = 0; lane < n_lane; ++lane) now[lane] += by[lane] * before[lane];
      }
  }
  return result;
}

at::Tensor solve_by_operations(const at::Tensor& jacobian, const at::Tensor& input,
                               bool transposed) {
  const std::vector<at::Tensor> matrices = jacobian.unbind(0);
  std::vector<at::Tensor> x = input.unbind(0);
  for (std::size_t i = 1; i < x.size(); ++i) {
    const std::size_t to = transposed ? x.size() - 1 - i : i;
    x[to] = x[to] + (transposed ? (matrices[to] * x[to + 1].unsqueeze(1)).sum(0)
                                : (matrices[to - 1] * x[to - 1].unsqueeze(0)).sum(1));
  }
  return at::stack(x);
}

at::Tensor solve(const at::Tensor& jacobian, const at::Tensor& input, bool transposed,
                 bool compiled) {
  const at::NoGradGuard no_grad;
  // Several gradients at once (is_grads_batched) are tensors without memory of their own.
  const bool has_memory = jacobian.has_storage() && input.has_storage();
  return compiled && has_memory ? solve_compiled(jacobian, input, transposed)
                                : solve_by_operations(jacobian, input, transposed);
}

struct LinearRecurrence : torch::autograd::Function<LinearRecurrence> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& jacobian,
                            const at::Tensor& input, bool transposed, bool compiled) {
    const at::Tensor x = solve(jacobian, input, transposed, compiled);
    context->save_for_backward({jacobian, x});
    context->saved_data["transposed"] = transposed;
    context->saved_data["compiled"] = compiled;
    return x;
  }

  static variable_list backward(AutogradContext* context, const variable_list& by_state) {
    const variable_list saved = context->get_saved_variables();
    const bool transposed = context->saved_data["transposed"].toBool();
    const at::Tensor by_input =
        apply(saved[0], by_state[0], !transposed, context->saved_data["compiled"].toBool());
    if (!context->needs_input_grad(0)) return {{}, by_input, {}, {}};
    // One of the two is x of the untransposed recurrence, the other x of the transposed one.
    const at::Tensor& ahead = transposed ? by_input : saved[1];
    const at::Tensor& back = transposed ? saved[1] : by_input;
    return {back.slice(0, 1).unsqueeze(2) * ahead.slice(0, 0, -1).unsqueeze(1), by_input, {}, {}};
  }
};

/// A zero that must not be differentiated.
struct Refusal : torch::autograd::Function<Refusal> {
  static at::Tensor forward(AutogradContext* context, at::TensorList inputs,
                            const std::string& message) {
    context->saved_data["message"] = message;
    return at::zeros({}, inputs.front().options());
  }
  static variable_list backward(AutogradContext* context, const variable_list& /*by_zero*/) {
    TORCH_CHECK_NOT_IMPLEMENTED(false, context->saved_data["message"].toStringRef());
  }
};

struct ImplicitTrajectory : torch::autograd::Function<ImplicitTrajectory> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& found,
                            const at::Tensor& once_more, const at::Tensor& jacobian,
                            bool compiled) {
    context->save_for_backward({once_more, jacobian});
    context->saved_data["compiled"] = compiled;
    return found.clone();
  }

  static variable_list backward(AutogradContext* context, const variable_list& by_state) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor by_once_more = LinearRecurrence::apply(
        saved[1], by_state[0], true, context->saved_data["compiled"].toBool());
    // Also the jacobian and what was found depend on what `once_more` does, but not in this graph.
    return {{},
            differentiable_once(by_once_more, {saved[0]},
                                "simulate: expected the elastic tendon to be differentiated once, "
                                "got a second derivative. Those of the stiff tendon are exact; for "
                                "the elastic one take differences of gradients."),
            {},
            {}};
  }
};

}  // namespace

bool is_compiled(Stepping stepping, const at::Tensor& tensor) {
  TORCH_CHECK_VALUE(stepping != Stepping::compiled || tensor.is_cpu(),
                    "stepping: expected operations or automatic on ", tensor.device(),
                    ", got compiled, which needs the CPU.");
  return stepping != Stepping::operations && tensor.is_cpu();
}

at::Tensor linear_recurrence(const at::Tensor& jacobian, const at::Tensor& input,
                             Stepping stepping) {
  return LinearRecurrence::apply(jacobian, input, false, is_compiled(stepping, input));
}

at::Tensor implicit_trajectory(const at::Tensor& found, const at::Tensor& once_more,
                               const at::Tensor& jacobian, Stepping stepping) {
  return ImplicitTrajectory::apply(found, once_more, jacobian, is_compiled(stepping, found));
}

at::Tensor differentiable_once(const at::Tensor& gradient, const std::vector<at::Tensor>& inputs,
                               const char* message) {
  if (!at::GradMode::is_enabled()) return gradient;
  return gradient + Refusal::apply(at::TensorList(inputs), std::string(message));
}

}  // namespace ceinms_torch::tensor
