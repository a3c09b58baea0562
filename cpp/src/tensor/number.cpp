#include "ceinms_torch/tensor/number.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <vector>

namespace ceinms_torch::tensor {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Coefficients of cubics, and where they are wanted: d from their origins.
std::pair<at::Tensor, at::Tensor> value_and_slope_of(const at::Tensor& coefficients,
                                                     const at::Tensor& d) {
  const std::vector<at::Tensor> c = coefficients.unbind(0);
  return {at::addcmul(c[0], d, at::addcmul(c[1], d, at::addcmul(c[2], d, c[3]))),
          at::addcmul(c[1], d, at::addcmul(c[2], d, c[3], 1.5), 2.0)};
}
at::Tensor curvature_of(const at::Tensor& coefficients, const at::Tensor& d) {
  return at::addcmul(2.0 * coefficients[2], d, coefficients[3], 6.0);
}

/// Value and slope of cubics as one node of the graph, for coefficients without one.
struct Cubic : torch::autograd::Function<Cubic> {
  static variable_list forward(AutogradContext* context, const at::Tensor& d, const at::Tensor& c) {
    const auto [value, slope] = value_and_slope_of(c, d);
    context->save_for_backward({d, c, slope});
    context->set_materialize_grads(false);
    return {value, slope};
  }

  /// Made of plain operations on what was saved, so that it can be differentiated again.
  static variable_list backward(AutogradContext* context, const variable_list& by) {
    const variable_list saved = context->get_saved_variables();
    at::Tensor by_distance;
    if (by[0].defined()) by_distance = by[0] * saved[2];
    if (by[1].defined()) {
      const at::Tensor through_slope = by[1] * curvature_of(saved[1], saved[0]);
      by_distance = by_distance.defined() ? by_distance + through_slope : through_slope;
    }
    return {by_distance, {}};
  }
};

}  // namespace

std::pair<at::Tensor, at::Tensor> Table::value_and_slope(const at::Tensor& x) const {
  const at::Tensor piece = at::searchsorted(knots, x.detach().contiguous());
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.insert(shape.begin(), kernel::PiecewiseCubic::n_column);
  const at::Tensor columns = pieces.t().index_select(1, piece.flatten()).view(shape);
  const at::Tensor distance = x - columns[0], c = columns.slice(0, 1);
  if (!at::GradMode::is_enabled() || c.requires_grad()) return value_and_slope_of(c, distance);
  const variable_list result = Cubic::apply(distance, c);
  return {result[0], result[1]};
}

kernel::MtuCurves<kernel::PiecewiseCubic> numbers_of(const Curves& curves) {
  const auto numbers = [](const Table& table) {
    const auto there = [](const at::Tensor& tensor) {
      return tensor.detach().to(at::kCPU).contiguous();
    };
    const at::Tensor knots = there(table.knots), pieces = there(table.pieces);
    return kernel::PiecewiseCubic::of(
        {knots.const_data_ptr<double>(), static_cast<std::size_t>(knots.numel())},
        pieces.const_data_ptr<double>());
  };
  return {numbers(curves.active_force_length), numbers(curves.passive_force_length),
          numbers(curves.force_velocity), numbers(curves.tendon_force_strain)};
}

}  // namespace ceinms_torch::tensor
