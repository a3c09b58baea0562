/// @file optimisers.hpp
/// Minimisers of a calibration problem in the unit box: Levenberg-Marquardt and AdamW.
#pragma once

#include "ceinms_torch/calibration/problem.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

namespace ceinms_torch::calibration {

/// The objective at one iterate.
struct Iteration {
  int iteration = 0;    ///< 0 is the start
  int evaluations = 0;  ///< of the objective, with or without derivatives, so far
  double seconds = 0.0;
  Evaluation evaluation;
};

/// Why an optimiser stopped.
enum class Status {
  converged_objective,  ///< the objective no longer falls
  converged_gradient,   ///< no direction inside the box leads down
  converged_step,       ///< steps have become too small to matter
  max_iterations,
  interrupted,
  not_finite  ///< at the start, or everywhere around the best point
};

std::string_view name_of(Status status) noexcept;

/// The best point seen, which is not always the last one.
struct Minimum {
  std::vector<double> x;
  Evaluation evaluation{std::numeric_limits<double>::quiet_NaN(), {}, {}};  ///< NaN: there is none
  std::vector<Iteration> history;
  int evaluations = 0;
  double seconds = 0.0;
  Status status = Status::max_iterations;
};

/// Called after every iteration; returning false stops the optimiser, which keeps the best.
using Progress = std::function<bool(const Iteration&)>;

struct LevenbergMarquardtOptions {
  int max_iterations = 400;
  double min_improvement = 1e-5;  ///< relative fall over `patience` iterations, of the objective or
                                  ///< of its moment errors
  int patience = 5;
  double min_gradient = 1e-10;  ///< largest component of the projected gradient, relative to f
  double min_step = 1e-9;       ///< largest component of a step, in ranges
  double damping = 1e-2;        ///< at the start, relative to the matrix's diagonal
};

/// Levenberg-Marquardt in the unit box, bounds exact.
///
/// Each step minimises the local quadratic model g.p + p.(H + damping D).p / 2 over the box, D
/// being the diagonal of H (Marquardt 1963): components that would leave the box are fixed at
/// their bound and the rest is solved again, until none does. The damping follows the ratio of
/// actual to predicted improvement (Nielsen 1999).
Minimum minimise_levenberg_marquardt(Problem& problem, const std::vector<double>& start,
                                     const LevenbergMarquardtOptions& options,
                                     const Progress& progress);

struct AdamWOptions {
  double learning_rate = 0.05;
  double learning_rate_decay = 0.99;
  double min_learning_rate = 1e-4;
  int max_iterations = 3000;
  double min_improvement = 1e-3;
  int patience = 30;
  double weight_decay = 0.0;
  bool is_absolute = false;    ///< whether min_improvement is in the objective's unit, no share
  bool decays_always = false;  ///< whether the learning rate decays after new best points, too
  /// What follows an iterate.
  double next_learning_rate(double now, bool is_best) const noexcept {
    if (is_best && !decays_always) return now;
    return std::max(min_learning_rate, now * learning_rate_decay);
  }
};

/// AdamW (Loshchilov & Hutter 2017) with torch's update, betas 0.9 and 0.999, on x - start: weight
/// decay pulls towards the start. After every update the boxed components are put back into the
/// box.
Minimum minimise_adamw(SmoothProblem& problem, const std::vector<double>& start,
                       const AdamWOptions& options, const Progress& progress);

}  // namespace ceinms_torch::calibration
