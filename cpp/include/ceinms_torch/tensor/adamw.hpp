/// @file adamw.hpp
/// Calibration by gradient descent: torch's AdamW in the unit box.
#pragma once

#include "ceinms_torch/calibration/optimisers.hpp"
#include "ceinms_torch/tensor/objective.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace ceinms_torch::tensor {

/// What is minimised, as a graph from a point (n).
using Objective = std::function<Evaluation(const at::Tensor&)>;

/// Minimise from `start` (n), on the device of the trials, whose first n_boxed components are
/// within [0, 1] and stay there.
///
/// These bounds are exact: after every update the point is put back into the box. The optimiser
/// works on x - start, so that AdamW's weight decay pulls towards the start values and not towards
/// the lower bounds.
calibration::Minimum minimise_adamw(const Objective& evaluate, std::int64_t n_boxed,
                                    const at::Tensor& start,
                                    const calibration::AdamWOptions& options,
                                    const calibration::Progress& progress);

}  // namespace ceinms_torch::tensor
