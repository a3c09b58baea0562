/// @file adamw.hpp
/// Calibration by gradient descent: torch's AdamW in the unit box.
#pragma once

#include "ceinms_torch/tensor/objective.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ceinms_torch::tensor {

struct AdamWOptions {
  double learning_rate = 0.05;        ///< per iteration, in units of each parameter's range; > 0
  double learning_rate_decay = 0.99;  ///< factor per iteration, 0..1
  double min_learning_rate = 1e-4;    ///< the decay stops here
  int max_iterations = 300;           ///< > 0
  double min_improvement = 1e-4;      ///< relative; less than this over `patience` stops
  int patience = 30;                  ///< iterations
  double weight_decay = 0.0;          ///< pull towards the start values
};

/// The objective at one iterate.
struct Iteration {
  int iteration = 0;    ///< 0 is the start
  int evaluations = 0;  ///< objective and gradient evaluations so far
  double seconds = 0.0;
  double objective = 0.0;
  std::vector<double> terms;  ///< in the order of Minimum::term_names
  std::vector<double> rmse;   ///< of each DOF that counts, averaged over trials [N m]
};

enum class Status { converged, max_iterations, interrupted, not_finite };

/// The best point seen, which is not always the last one.
struct Minimum {
  at::Tensor x;  ///< (n), within [0, 1], on the CPU
  double objective = 0.0;
  std::vector<std::string> term_names;
  std::vector<double> terms;
  std::vector<Iteration> history;
  int evaluations = 0;
  double seconds = 0.0;
  Status status = Status::max_iterations;
};

/// Called after every evaluation; returning false stops the optimiser, which keeps the best.
using Progress = std::function<bool(const Iteration&)>;

/// What is minimised, as a graph from a point (n).
using Objective = std::function<Evaluation(const at::Tensor&)>;

/// Minimise from `start` (n), on the device of the trials, whose first n_boxed components are
/// within [0, 1] and stay there.
///
/// These bounds are exact: after every update the point is put back into the box. The optimiser
/// works on x - start, so that AdamW's weight decay pulls towards the start values and not towards
/// the lower bounds.
Minimum minimise_adamw(const Objective& evaluate, std::int64_t n_boxed, const at::Tensor& start,
                       const AdamWOptions& options, const Progress& progress);

}  // namespace ceinms_torch::tensor
