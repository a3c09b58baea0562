/// @file activation.hpp
/// From excitations to activations as CEINMS 0.9 computes them (reference C.1).
#pragma once

#include "ceinms_torch/kernel/activation.hpp"
#include "ceinms_torch/kernel/dual.hpp"
#include "ceinms_torch/kernel/parameters.hpp"

#include <cstddef>
#include <utility>

namespace ceinms_torch::legacy {

enum class ActivationModel { exponential, piecewise };

/// Manal & Buchanan's piecewise activation: a logarithm below a node, a straight line above.
class PiecewiseActivation {
 public:
  /// @param shape_factor A [-], 0 < A <= 0.12
  explicit PiecewiseActivation(double shape_factor);

  double operator()(double neural_activation) const noexcept {
    return value_and_slope(neural_activation).first;
  }
  std::pair<double, double> value_and_slope(double neural_activation) const noexcept;

  double node() const noexcept { return node_; }
  double slope() const noexcept { return slope_; }
  double intercept() const noexcept { return intercept_; }
  double scale() const noexcept { return scale_; }
  double rate() const noexcept { return rate_; }

 private:
  double node_;       ///< X0: neural activation where the two parts meet
  double slope_;      ///< m
  double intercept_;  ///< c
  double scale_;      ///< a_p; NaN if its iteration does not converge
  double rate_;       ///< b
};

/// Neural activation to activation by either model.
class ActivationCurve {
 public:
  ActivationCurve(ActivationModel model, double shape_factor)
      : model_(model),
        exponential_(shape_factor),
        piecewise_(model == ActivationModel::piecewise ? shape_factor : 0.05) {}

  double operator()(double neural_activation) const noexcept {
    return model_ == ActivationModel::piecewise ? piecewise_(neural_activation)
                                                : exponential_(neural_activation);
  }
  std::pair<double, double> value_and_slope(double neural_activation) const noexcept {
    if (model_ == ActivationModel::piecewise) return piecewise_.value_and_slope(neural_activation);
    const auto a = exponential_(kernel::variable<0, 1>(neural_activation, 1.0));
    return {a.value, a.partial[0]};
  }

 private:
  ActivationModel model_;
  kernel::ExponentialActivation<double> exponential_;
  PiecewiseActivation piecewise_;
};

/// The recursive filter of one MTU with CEINMS's book-keeping: samples are counted, the third one
/// restarts it, and a state can be pushed without a new sample.
class NeuralActivation {
 public:
  explicit NeuralActivation(const kernel::MtuParameters<double>& p)
      : c1_(p.c1), c2_(p.c2), filter_(p.c1, p.c2, 0.0) {}

  /// Update and push: neural activation after one more sample.
  double next(double excitation) {
    filter_.restart_where(n_pushed_ == 2);
    ++n_pushed_;
    return filter_.next(excitation);
  }
  /// Update without push: what `next` would give.
  double peek(double excitation) const {
    NeuralActivation copy = *this;
    return copy.next(excitation);
  }
  /// Derivative of what `next` and `peek` give by their excitation.
  double gain() const noexcept { return filter_.gain(); }
  /// Push without update: the last neural activation once more (reference C.7, first pass).
  void repeat(double excitation) {
    const kernel::FilterState<double>& s = filter_.state();
    filter_ = {c1_, c2_, kernel::FilterState<double>{s.u1, s.u1, excitation, s.e1}};
    ++n_pushed_;
  }

 private:
  double c1_;
  double c2_;
  kernel::ActivationFilter<double> filter_;
  std::size_t n_pushed_ = 0;
};

}  // namespace ceinms_torch::legacy
