/// Linear trials for one instruction set, see lanes.cpp.

#include "ceinms_torch/engine/linear_trial.hpp"

#include "ceinms_torch/engine/lanes.hpp"
#include "ceinms_torch/kernel/pack.hpp"

#include <array>
#include <cmath>

namespace ceinms_torch::engine {
namespace {

using kernel::Pack;
using kernel::pack_width;

/// What an MTU hands on: u, u of the step before, and with an elastic tendon l and v.
template <std::size_t S>
using State = std::array<Pack, S>;
enum : std::size_t { u, past_u, length, velocity };

/// One step of a pack of lanes, or of one lane in all places of a pack.
template <std::size_t S>
struct Step {
  Pack beta1, beta2, gain;
  Pack restart;  ///< 1 where the filter restarts before this step
  bool may_restart;
  std::array<Pack, n_slope> slope;

  Step(const LinearTrial& trial, std::size_t block, std::size_t k) : Step(trial, block, k, &load) {}
  /// One lane of the block.
  Step(const LinearTrial& trial, std::size_t block, std::size_t k, std::size_t place)
      : Step(trial, block, k, [place](const double* row) { return Pack(row[place]); }) {}

  /// Without the excitation.
  State<S> forward(const State<S>& x) const {
    Pack u1 = x[u];
    Pack u2 = x[past_u];
    if (may_restart) {
      // The mean of the last two excitations, which are what the filter made u of.
      const Pack mean = 0.5 * (u1 + (1.0 + beta1) * u2) / gain;
      u1 = restart * mean + (1.0 - restart) * u1;
      u2 = restart * mean + (1.0 - restart) * u2;
    }
    State<S> next;
    next[u] = -(beta1 * u1 + beta2 * u2);
    next[past_u] = u1;
    if constexpr (S > 2) {
      const auto by = [&](Slope past_u_of, Slope past_length, Slope past_velocity, Slope u_of) {
        return slope[u_of] * next[u] + slope[past_u_of] * x[u] + slope[past_length] * x[length] +
               slope[past_velocity] * x[velocity];
      };
      next[length] =
          by(length_by_past_u, length_by_past_length, length_by_past_velocity, length_by_u);
      next[velocity] =
          by(velocity_by_past_u, velocity_by_past_length, velocity_by_past_velocity, velocity_by_u);
    }
    return next;
  }
  /// What an excitation of 1 adds.
  State<S> by_excitation() const {
    State<S> x;
    x[u] = gain;
    x[past_u] = 0.0;
    if constexpr (S > 2) {
      x[length] = slope[length_by_u] * gain;
      x[velocity] = slope[velocity_by_u] * gain;
    }
    return x;
  }
  /// The transpose of `forward`.
  State<S> reverse(const State<S>& x) const {
    Pack of_u = x[u];
    State<S> before;
    Pack of_past_u = 0.0;
    if constexpr (S > 2) {
      const auto of = [&](Slope by_length, Slope by_velocity) {
        return slope[by_length] * x[length] + slope[by_velocity] * x[velocity];
      };
      of_u += of(length_by_u, velocity_by_u);
      of_past_u = of(length_by_past_u, velocity_by_past_u);
      before[length] = of(length_by_past_length, velocity_by_past_length);
      before[velocity] = of(length_by_past_velocity, velocity_by_past_velocity);
    }
    Pack u1 = x[past_u] - beta1 * of_u;
    Pack u2 = -(beta2 * of_u);
    if (may_restart) {
      const Pack of_mean = restart * (u1 + u2) * 0.5 / gain;
      u1 = (1.0 - restart) * u1 + of_mean;
      u2 = (1.0 - restart) * u2 + (1.0 + beta1) * of_mean;
    }
    before[u] = u1 + of_past_u;
    before[past_u] = u2;
    return before;
  }
  /// The force by each number of the state.
  State<S> force() const {
    State<S> h;
    h[u] = slope[force_by_u];
    h[past_u] = 0.0;
    if constexpr (S > 2) {
      h[length] = slope[force_by_length];
      h[velocity] = slope[force_by_velocity];
    }
    return h;
  }

 private:
  static Pack load(const double* row) { return Pack::load(row); }
  template <class Read>
  Step(const LinearTrial& trial, std::size_t block, std::size_t k, const Read& read)
      : may_restart(k < n_restart) {
    const double* of_filter = trial.filter + block * 3 * pack_width;
    beta1 = read(of_filter);
    beta2 = read(of_filter + pack_width);
    gain = read(of_filter + 2 * pack_width);
    if (may_restart) restart = read(trial.restart + (block * n_restart + k) * pack_width);
    const double* of_step = trial.slopes + (block * trial.n_step + k) * n_slope * pack_width;
    constexpr std::size_t n = S > 2 ? std::size_t{n_slope} : 1;  // others are zero
    for (std::size_t i = 0; i < n; ++i) slope[i] = read(of_step + i * pack_width);
  }
};

double sum_of(Pack pack) {
  double sum = 0.0;
  for (std::size_t lane = 0; lane < pack_width; ++lane) sum += pack[lane];
  return sum;
}

template <std::size_t S>
Pack dot(const State<S>& a, const State<S>& b) {
  Pack sum = a[u] * b[u];
  for (std::size_t i = 1; i < S; ++i) sum += a[i] * b[i];
  return sum;
}

/// Rows of (S, n_lane).
template <std::size_t S>
State<S> load(const double* table, std::size_t n_lane, std::size_t block) {
  State<S> x;
  for (std::size_t i = 0; i < S; ++i) x[i] = Pack::load(table + i * n_lane + block * pack_width);
  return x;
}
template <std::size_t S>
void store(const State<S>& x, double* table, std::size_t n_lane, std::size_t block) {
  for (std::size_t i = 0; i < S; ++i) x[i].store(table + i * n_lane + block * pack_width);
}

/// The Cholesky factor of a symmetric (n, n), of which the lower triangle is read; in place.
bool cholesky(double* a, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && !(sum > 0.0 && std::isfinite(sum))) return false;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  return true;
}

/// The covariance of all states, lane by lane: entry (j, block) holds those of lane j with the
/// lanes of a block, (S, S) packs, the index of j first. As it is symmetric, blocks before that of
/// j are not kept.
template <std::size_t S>
double* entry(double* covariance, std::size_t n_block, std::size_t j, std::size_t block) {
  return covariance + (j * n_block + block) * S * S * pack_width;
}

/// From one step to the next: what was measured at the last (its gain), the step, the noise of the
/// excitations.
template <std::size_t S>
void predict(const LinearTrial& trial, std::size_t k, const double* variance, const double* gain,
             double* covariance) {
  const std::size_t n_lane = trial.n_block * pack_width;
  for (std::size_t j = 0; j < trial.n_mtu; ++j) {
    const Step<S> own(trial, j / pack_width, k, j % pack_width);
    const State<S> noise = own.by_excitation();
    for (std::size_t block = j / pack_width; block < trial.n_block; ++block) {
      double* p = entry<S>(covariance, trial.n_block, j, block);
      const Step<S> other(trial, block, k);
      State<S> by_other[S];
      State<S> moved[S];
      if (k == 0) {
        for (std::size_t a = 0; a < S; ++a) moved[a].fill(Pack(0.0));
      } else {
        for (std::size_t a = 0; a < S; ++a)
          for (std::size_t b = 0; b < S; ++b)
            by_other[b][a] = Pack::load(p + (a * S + b) * pack_width);
        for (std::size_t dof = 0; dof < trial.n_dof; ++dof) {
          const double* g = gain + ((k - 1) * trial.n_dof + dof) * S * n_lane;
          const State<S> of_block = load<S>(g, n_lane, block);
          for (std::size_t a = 0; a < S; ++a) {
            const Pack of_lane = g[a * n_lane + j];
            for (std::size_t b = 0; b < S; ++b)
              by_other[b][a] = by_other[b][a] - of_lane * of_block[b];
          }
        }
        State<S> by_own[S];
        for (std::size_t b = 0; b < S; ++b) {
          const State<S> next = own.forward(by_other[b]);
          for (std::size_t a = 0; a < S; ++a) by_own[a][b] = next[a];
        }
        for (std::size_t a = 0; a < S; ++a) moved[a] = other.forward(by_own[a]);
      }
      for (std::size_t a = 0; a < S; ++a)
        for (std::size_t b = 0; b < S; ++b) moved[a][b].store(p + (a * S + b) * pack_width);
      if (block != j / pack_width) continue;
      for (std::size_t a = 0; a < S; ++a)
        for (std::size_t b = 0; b < S; ++b)
          p[(a * S + b) * pack_width + j % pack_width] +=
              noise[a][0] * noise[b][0] * variance[k * n_lane + j];
    }
  }
}

/// The covariance of the moments of a step with all states, (n_dof, S, n_lane).
template <std::size_t S>
void measure(const LinearTrial& trial, std::size_t k, double* covariance, double* result) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  const double* arm = trial.arm + k * n_dof * n_lane;
  double* row = covariance + S * S * n_lane * n_lane;  // behind it, (S, n_lane)
  for (std::size_t i = 0; i < n_dof * S * n_lane; ++i) result[i] = 0.0;
  for (std::size_t j = 0; j < trial.n_mtu; ++j) {
    const std::size_t own = j / pack_width;
    const State<S> h = Step<S>(trial, own, k, j % pack_width).force();
    for (std::size_t block = own; block < trial.n_block; ++block) {
      const State<S> h_of_block = Step<S>(trial, block, k).force();
      const double* p = entry<S>(covariance, trial.n_block, j, block);
      State<S> of_force{};  // of lane j with the states of the block
      State<S> of_state{};  // of lane j with the forces of the block
      for (std::size_t a = 0; a < S; ++a)
        for (std::size_t b = 0; b < S; ++b) {
          const Pack one = Pack::load(p + (a * S + b) * pack_width);
          of_force[b] += h[a] * one;
          of_state[a] += h_of_block[b] * one;
        }
      store<S>(of_state, row, n_lane, block);
      for (std::size_t d = 0; d < n_dof; ++d) {
        State<S> sum = load<S>(result + d * S * n_lane, n_lane, block);
        for (std::size_t b = 0; b < S; ++b) sum[b] += arm[d * n_lane + j] * of_force[b];
        store<S>(sum, result + d * S * n_lane, n_lane, block);
      }
    }
    // What the blocks behind do to lane j: its own block has all of its pairs, both ways.
    if (own + 1 == trial.n_block) continue;
    for (std::size_t d = 0; d < n_dof; ++d) {
      State<S> sum{};
      for (std::size_t block = own + 1; block < trial.n_block; ++block) {
        const Pack of_block = Pack::load(arm + d * n_lane + block * pack_width);
        const State<S> of_state = load<S>(row, n_lane, block);
        for (std::size_t a = 0; a < S; ++a) sum[a] += of_block * of_state[a];
      }
      for (std::size_t a = 0; a < S; ++a) result[(d * S + a) * n_lane + j] += sum_of(sum[a]);
    }
  }
}

template <std::size_t S>
[[gnu::flatten]] bool factor_of(const LinearTrial& trial, const double* variance, double noise,
                                double* covariance, double* gain, double* root) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  for (std::size_t k = 0; k < trial.n_step; ++k) {
    predict<S>(trial, k, variance, gain, covariance);
    double* g = gain + k * n_dof * S * n_lane;
    const double* arm = trial.arm + k * n_dof * n_lane;
    measure<S>(trial, k, covariance, g);
    double* r = root + k * n_dof * n_dof;
    for (std::size_t d = 0; d < n_dof; ++d)
      for (std::size_t c = 0; c <= d; ++c) {
        Pack sum = 0.0;
        for (std::size_t block = 0; block < trial.n_block; ++block)
          sum +=
              Pack::load(arm + d * n_lane + block * pack_width) *
              dot<S>(Step<S>(trial, block, k).force(), load<S>(g + c * S * n_lane, n_lane, block));
        r[d * n_dof + c] = sum_of(sum) + (c == d ? noise : 0.0);
      }
    if (!cholesky(r, n_dof)) return false;
    // The gain times the root, so that it takes its own square from the covariance.
    for (std::size_t d = 0; d < n_dof; ++d) {
      double* row = g + d * S * n_lane;
      for (std::size_t i = 0; i < S * n_lane; i += pack_width) {
        Pack sum = Pack::load(row + i);
        for (std::size_t c = 0; c < d; ++c)
          sum = sum - r[d * n_dof + c] * Pack::load(g + c * S * n_lane + i);
        (sum / r[d * n_dof + d]).store(row + i);
      }
    }
  }
  return true;
}

/// J^T y from the last step to the first: `y_at(k)` is asked for y (n_dof) when the state is what
/// the later steps ask of it.
template <std::size_t S, class YAt>
void sweep_back(const LinearTrial& trial, const YAt& y_at, double* state, double* pull) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  for (std::size_t i = 0; i < S * n_lane; ++i) state[i] = 0.0;
  for (std::size_t k = trial.n_step; k-- > 0;) {
    const double* now = y_at(k);
    const double* arm = trial.arm + k * n_dof * n_lane;
    for (std::size_t block = 0; block < trial.n_block; ++block) {
      const Step<S> step(trial, block, k);
      Pack of_force = 0.0;
      for (std::size_t d = 0; d < n_dof; ++d)
        of_force += now[d] * Pack::load(arm + d * n_lane + block * pack_width);
      State<S> x = load<S>(state, n_lane, block);
      const State<S> h = step.force();
      for (std::size_t a = 0; a < S; ++a) x[a] += h[a] * of_force;
      dot<S>(step.by_excitation(), x).store(pull + k * n_lane + block * pack_width);
      store<S>(step.reverse(x), state, n_lane, block);
    }
  }
}

template <std::size_t S>
[[gnu::flatten]] void solve_with(const LinearTrial& trial, const double* gain, const double* root,
                                 const double* offset, double* y, double* state, double* pull) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  for (std::size_t i = 0; i < S * n_lane; ++i) state[i] = 0.0;
  for (std::size_t k = 0; k < trial.n_step; ++k) {
    double* now = y + k * n_dof;
    const double* arm = trial.arm + k * n_dof * n_lane;
    for (std::size_t block = 0; block < trial.n_block; ++block) {
      const Step<S> step(trial, block, k);
      State<S> x = step.forward(load<S>(state, n_lane, block));
      const State<S> b = step.by_excitation();
      const Pack e = Pack::load(offset + k * n_lane + block * pack_width);
      for (std::size_t a = 0; a < S; ++a) x[a] += b[a] * e;
      store<S>(x, state, n_lane, block);
      const Pack force = dot<S>(step.force(), x);
      for (std::size_t d = 0; d < n_dof; ++d)
        now[d] -= sum_of(Pack::load(arm + d * n_lane + block * pack_width) * force);
    }
    const double* r = root + k * n_dof * n_dof;
    for (std::size_t d = 0; d < n_dof; ++d) {
      for (std::size_t c = 0; c < d; ++c) now[d] -= r[d * n_dof + c] * now[c];
      now[d] /= r[d * n_dof + d];
      const double* g = gain + (k * n_dof + d) * S * n_lane;
      for (std::size_t i = 0; i < S * n_lane; i += pack_width)
        (Pack::load(state + i) + now[d] * Pack::load(g + i)).store(state + i);
    }
  }
  // Now y is what no step before could tell, over its root.
  const auto solution_at = [&](std::size_t k) {
    double* now = y + k * n_dof;
    const double* r = root + k * n_dof * n_dof;
    for (std::size_t d = 0; d < n_dof; ++d) {
      const double* g = gain + (k * n_dof + d) * S * n_lane;
      Pack sum = 0.0;
      for (std::size_t i = 0; i < S * n_lane; i += pack_width)
        sum += Pack::load(g + i) * Pack::load(state + i);
      now[d] -= sum_of(sum);
    }
    for (std::size_t d = n_dof; d-- > 0;) {
      for (std::size_t c = d + 1; c < n_dof; ++c) now[d] -= r[c * n_dof + d] * now[c];
      now[d] /= r[d * n_dof + d];
    }
    return now;
  };
  sweep_back<S>(trial, solution_at, state, pull);
}

template <std::size_t S>
[[gnu::flatten]] void transposed_of(const LinearTrial& trial, const double* y, double* state,
                                    double* pull) {
  sweep_back<S>(trial, [&](std::size_t k) { return y + k * trial.n_dof; }, state, pull);
}

bool factor(const LinearTrial& trial, const double* variance, double noise, double* covariance,
            double* gain, double* root) {
  return trial.is_stiff ? factor_of<2>(trial, variance, noise, covariance, gain, root)
                        : factor_of<4>(trial, variance, noise, covariance, gain, root);
}
void solve(const LinearTrial& trial, const double* gain, const double* root, const double* offset,
           double* y, double* state, double* pull) {
  trial.is_stiff ? solve_with<2>(trial, gain, root, offset, y, state, pull)
                 : solve_with<4>(trial, gain, root, offset, y, state, pull);
}
void transposed(const LinearTrial& trial, const double* y, double* state, double* pull) {
  trial.is_stiff ? transposed_of<2>(trial, y, state, pull)
                 : transposed_of<4>(trial, y, state, pull);
}

}  // namespace

const LinearTrialAlgebra CEINMS_TORCH_ISA::linear_trial_algebra{&factor, &solve, &transposed};

}  // namespace ceinms_torch::engine
