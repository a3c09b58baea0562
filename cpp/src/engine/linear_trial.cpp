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

/// What an MTU hands on. A filter that restarts late remembers its last excitations, too: u and the
/// one before are then made of more than those two.
template <bool elastic, bool remembering>
struct Kind {
  static constexpr bool is_elastic = elastic;
  static constexpr bool remembers = remembering;
  static constexpr std::size_t n = numbers_of(elastic, remembering);
  enum : std::size_t { u, past_u, length, velocity, e = elastic ? 4 : 2, past_e };
};
template <class K>
using State = std::array<Pack, K::n>;

/// One step of a pack of lanes, or of one lane in all places of a pack.
template <class K>
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
  State<K> forward(const State<K>& x) const {
    Pack u1 = x[K::u];
    Pack u2 = x[K::past_u];
    if (may_restart) {
      const Pack mean = [&] {
        if constexpr (K::remembers)
          return 0.5 * (x[K::e] + x[K::past_e]);
        else  // of the only two there were, from which the filter made u
          return 0.5 * (u1 + (1.0 + beta1) * u2) / gain;
      }();
      u1 = restart * mean + (1.0 - restart) * u1;
      u2 = restart * mean + (1.0 - restart) * u2;
    }
    State<K> next;
    next[K::u] = -(beta1 * u1 + beta2 * u2);
    next[K::past_u] = u1;
    if constexpr (K::is_elastic) {
      const auto by = [&](Slope past_u, Slope past_length, Slope past_velocity, Slope u) {
        return slope[u] * next[K::u] + slope[past_u] * x[K::u] + slope[past_length] * x[K::length] +
               slope[past_velocity] * x[K::velocity];
      };
      next[K::length] =
          by(length_by_past_u, length_by_past_length, length_by_past_velocity, length_by_u);
      next[K::velocity] =
          by(velocity_by_past_u, velocity_by_past_length, velocity_by_past_velocity, velocity_by_u);
    }
    if constexpr (K::remembers) {
      next[K::e] = 0.0;
      next[K::past_e] = x[K::e];
    }
    return next;
  }
  /// What an excitation of 1 adds.
  State<K> by_excitation() const {
    State<K> x;
    x[K::u] = gain;
    x[K::past_u] = 0.0;
    if constexpr (K::is_elastic) {
      x[K::length] = slope[length_by_u] * x[K::u];
      x[K::velocity] = slope[velocity_by_u] * x[K::u];
    }
    if constexpr (K::remembers) {
      x[K::e] = 1.0;
      x[K::past_e] = 0.0;
    }
    return x;
  }
  /// The transpose of `forward`.
  State<K> reverse(const State<K>& x) const {
    Pack of_u = x[K::u];
    State<K> before;
    Pack of_past_u = 0.0;
    if constexpr (K::is_elastic) {
      const auto of = [&](Slope by_length, Slope by_velocity) {
        return slope[by_length] * x[K::length] + slope[by_velocity] * x[K::velocity];
      };
      of_u += of(length_by_u, velocity_by_u);
      of_past_u = of(length_by_past_u, velocity_by_past_u);
      before[K::length] = of(length_by_past_length, velocity_by_past_length);
      before[K::velocity] = of(length_by_past_velocity, velocity_by_past_velocity);
    }
    if constexpr (K::remembers) {
      before[K::e] = x[K::past_e];
      before[K::past_e] = 0.0;
    }
    Pack u1 = x[K::past_u] - beta1 * of_u;
    Pack u2 = -(beta2 * of_u);
    if (may_restart) {
      const Pack of_mean = restart * (u1 + u2) * 0.5;
      u1 = (1.0 - restart) * u1;
      u2 = (1.0 - restart) * u2;
      if constexpr (K::remembers) {
        before[K::e] += of_mean;
        before[K::past_e] += of_mean;
      } else {
        u1 += of_mean / gain;
        u2 += (1.0 + beta1) * of_mean / gain;
      }
    }
    before[K::u] = u1 + of_past_u;
    before[K::past_u] = u2;
    return before;
  }
  /// The force by each number of the state.
  State<K> force() const {
    State<K> h;
    h.fill(Pack(0.0));
    h[K::u] = slope[force_by_u];
    if constexpr (K::is_elastic) {
      h[K::length] = slope[force_by_length];
      h[K::velocity] = slope[force_by_velocity];
    }
    return h;
  }

 private:
  static Pack load(const double* row) { return Pack::load(row); }
  template <class Read>
  Step(const LinearTrial& trial, std::size_t block, std::size_t k, const Read& read)
      : may_restart(k < trial.n_restart) {
    const double* of_filter = trial.filter + block * 3 * pack_width;
    beta1 = read(of_filter);
    beta2 = read(of_filter + pack_width);
    gain = read(of_filter + 2 * pack_width);
    if (may_restart) restart = read(trial.restart + (block * trial.n_restart + k) * pack_width);
    const double* of_step = trial.slopes + (block * trial.n_step + k) * n_slope * pack_width;
    constexpr std::size_t n = K::is_elastic ? std::size_t{n_slope} : 1;  // others are zero
    for (std::size_t i = 0; i < n; ++i) slope[i] = read(of_step + i * pack_width);
  }
};

double sum_of(Pack pack) {
  double sum = 0.0;
  for (std::size_t lane = 0; lane < pack_width; ++lane) sum += pack[lane];
  return sum;
}

template <class K>
Pack dot(const State<K>& a, const State<K>& b) {
  Pack sum = a[0] * b[0];
  for (std::size_t i = 1; i < K::n; ++i) sum += a[i] * b[i];
  return sum;
}

/// Rows of (n, n_lane), n as in Kind.
template <class K>
State<K> load(const double* table, std::size_t n_lane, std::size_t block) {
  State<K> x;
  for (std::size_t i = 0; i < K::n; ++i) x[i] = Pack::load(table + i * n_lane + block * pack_width);
  return x;
}
template <class K>
void store(const State<K>& x, double* table, std::size_t n_lane, std::size_t block) {
  for (std::size_t i = 0; i < K::n; ++i) x[i].store(table + i * n_lane + block * pack_width);
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
/// lanes of a block, (K::n, K::n) packs, the index of j first. As it is symmetric, blocks before
/// that of j are not kept.
template <class K>
double* entry(double* covariance, std::size_t n_block, std::size_t j, std::size_t block) {
  return covariance + (j * n_block + block) * K::n * K::n * pack_width;
}

/// From one step to the next: what was measured at the last (its gain), the step, the noise of the
/// excitations.
template <class K>
void predict(const LinearTrial& trial, std::size_t k, const double* variance, const double* gain,
             double* covariance) {
  const std::size_t n_lane = trial.n_block * pack_width;
  for (std::size_t j = 0; j < trial.n_mtu; ++j) {
    const Step<K> own(trial, j / pack_width, k, j % pack_width);
    const State<K> noise = own.by_excitation();
    for (std::size_t block = j / pack_width; block < trial.n_block; ++block) {
      double* p = entry<K>(covariance, trial.n_block, j, block);
      const Step<K> other(trial, block, k);
      State<K> by_other[K::n];
      State<K> moved[K::n];
      if (k == 0) {
        for (std::size_t a = 0; a < K::n; ++a) moved[a].fill(Pack(0.0));
      } else {
        for (std::size_t a = 0; a < K::n; ++a)
          for (std::size_t b = 0; b < K::n; ++b)
            by_other[b][a] = Pack::load(p + (a * K::n + b) * pack_width);
        for (std::size_t dof = 0; dof < trial.n_dof; ++dof) {
          const double* g = gain + ((k - 1) * trial.n_dof + dof) * K::n * n_lane;
          const State<K> of_block = load<K>(g, n_lane, block);
          for (std::size_t a = 0; a < K::n; ++a) {
            const Pack of_lane = g[a * n_lane + j];
            for (std::size_t b = 0; b < K::n; ++b)
              by_other[b][a] = by_other[b][a] - of_lane * of_block[b];
          }
        }
        State<K> by_own[K::n];
        for (std::size_t b = 0; b < K::n; ++b) {
          const State<K> next = own.forward(by_other[b]);
          for (std::size_t a = 0; a < K::n; ++a) by_own[a][b] = next[a];
        }
        for (std::size_t a = 0; a < K::n; ++a) moved[a] = other.forward(by_own[a]);
      }
      for (std::size_t a = 0; a < K::n; ++a)
        for (std::size_t b = 0; b < K::n; ++b) moved[a][b].store(p + (a * K::n + b) * pack_width);
      if (block != j / pack_width) continue;
      for (std::size_t a = 0; a < K::n; ++a)
        for (std::size_t b = 0; b < K::n; ++b)
          p[(a * K::n + b) * pack_width + j % pack_width] +=
              noise[a][0] * noise[b][0] * variance[k * n_lane + j];
    }
  }
}

/// The covariance of the moments of a step with all states, (n_dof, K::n, n_lane).
template <class K>
void measure(const LinearTrial& trial, std::size_t k, double* covariance, double* result) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  const double* arm = trial.arm + k * n_dof * n_lane;
  double* row = covariance + K::n * K::n * n_lane * n_lane;  // behind it, (K::n, n_lane)
  for (std::size_t i = 0; i < n_dof * K::n * n_lane; ++i) result[i] = 0.0;
  for (std::size_t j = 0; j < trial.n_mtu; ++j) {
    const std::size_t own = j / pack_width;
    const State<K> h = Step<K>(trial, own, k, j % pack_width).force();
    for (std::size_t block = own; block < trial.n_block; ++block) {
      const State<K> h_of_block = Step<K>(trial, block, k).force();
      const double* p = entry<K>(covariance, trial.n_block, j, block);
      State<K> of_force{};  // of lane j with the states of the block
      State<K> of_state{};  // of lane j with the forces of the block
      for (std::size_t a = 0; a < K::n; ++a)
        for (std::size_t b = 0; b < K::n; ++b) {
          const Pack one = Pack::load(p + (a * K::n + b) * pack_width);
          of_force[b] += h[a] * one;
          of_state[a] += h_of_block[b] * one;
        }
      store<K>(of_state, row, n_lane, block);
      for (std::size_t d = 0; d < n_dof; ++d) {
        State<K> sum = load<K>(result + d * K::n * n_lane, n_lane, block);
        for (std::size_t b = 0; b < K::n; ++b) sum[b] += arm[d * n_lane + j] * of_force[b];
        store<K>(sum, result + d * K::n * n_lane, n_lane, block);
      }
    }
    // What the blocks behind do to lane j: its own block has all of its pairs, both ways.
    if (own + 1 == trial.n_block) continue;
    for (std::size_t d = 0; d < n_dof; ++d) {
      State<K> sum{};
      for (std::size_t block = own + 1; block < trial.n_block; ++block) {
        const Pack of_block = Pack::load(arm + d * n_lane + block * pack_width);
        const State<K> of_state = load<K>(row, n_lane, block);
        for (std::size_t a = 0; a < K::n; ++a) sum[a] += of_block * of_state[a];
      }
      for (std::size_t a = 0; a < K::n; ++a) result[(d * K::n + a) * n_lane + j] += sum_of(sum[a]);
    }
  }
}

template <class K>
[[gnu::flatten]] bool factor_of(const LinearTrial& trial, const double* variance, double noise,
                                double* covariance, double* gain, double* root) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  for (std::size_t k = 0; k < trial.n_step; ++k) {
    predict<K>(trial, k, variance, gain, covariance);
    double* g = gain + k * n_dof * K::n * n_lane;
    const double* arm = trial.arm + k * n_dof * n_lane;
    measure<K>(trial, k, covariance, g);
    double* r = root + k * n_dof * n_dof;
    for (std::size_t d = 0; d < n_dof; ++d)
      for (std::size_t c = 0; c <= d; ++c) {
        Pack sum = 0.0;
        for (std::size_t block = 0; block < trial.n_block; ++block)
          sum += Pack::load(arm + d * n_lane + block * pack_width) *
                 dot<K>(Step<K>(trial, block, k).force(),
                        load<K>(g + c * K::n * n_lane, n_lane, block));
        r[d * n_dof + c] = sum_of(sum) + (c == d ? noise : 0.0);
      }
    if (!cholesky(r, n_dof)) return false;
    // The gain times the root, so that it takes its own square from the covariance.
    for (std::size_t d = 0; d < n_dof; ++d) {
      double* row = g + d * K::n * n_lane;
      for (std::size_t i = 0; i < K::n * n_lane; i += pack_width) {
        Pack sum = Pack::load(row + i);
        for (std::size_t c = 0; c < d; ++c)
          sum = sum - r[d * n_dof + c] * Pack::load(g + c * K::n * n_lane + i);
        (sum / r[d * n_dof + d]).store(row + i);
      }
    }
  }
  return true;
}

/// J^T y from the last step to the first: `y_at(k)` is asked for y (n_dof) when the state is what
/// the later steps ask of it.
template <class K, class YAt>
void sweep_back(const LinearTrial& trial, const YAt& y_at, double* state, double* pull) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  for (std::size_t i = 0; i < K::n * n_lane; ++i) state[i] = 0.0;
  for (std::size_t k = trial.n_step; k-- > 0;) {
    const double* now = y_at(k);
    const double* arm = trial.arm + k * n_dof * n_lane;
    for (std::size_t block = 0; block < trial.n_block; ++block) {
      const Step<K> step(trial, block, k);
      Pack of_force = 0.0;
      for (std::size_t d = 0; d < n_dof; ++d)
        of_force += now[d] * Pack::load(arm + d * n_lane + block * pack_width);
      State<K> x = load<K>(state, n_lane, block);
      const State<K> h = step.force();
      for (std::size_t a = 0; a < K::n; ++a) x[a] += h[a] * of_force;
      dot<K>(step.by_excitation(), x).store(pull + k * n_lane + block * pack_width);
      store<K>(step.reverse(x), state, n_lane, block);
    }
  }
}

template <class K>
[[gnu::flatten]] void solve_with(const LinearTrial& trial, const double* gain, const double* root,
                                 const double* offset, double* y, double* state, double* pull) {
  const std::size_t n_lane = trial.n_block * pack_width;
  const std::size_t n_dof = trial.n_dof;
  for (std::size_t i = 0; i < K::n * n_lane; ++i) state[i] = 0.0;
  for (std::size_t k = 0; k < trial.n_step; ++k) {
    double* now = y + k * n_dof;
    const double* arm = trial.arm + k * n_dof * n_lane;
    for (std::size_t block = 0; block < trial.n_block; ++block) {
      const Step<K> step(trial, block, k);
      State<K> x = step.forward(load<K>(state, n_lane, block));
      const State<K> b = step.by_excitation();
      const Pack e = Pack::load(offset + k * n_lane + block * pack_width);
      for (std::size_t a = 0; a < K::n; ++a) x[a] += b[a] * e;
      store<K>(x, state, n_lane, block);
      const Pack force = dot<K>(step.force(), x);
      for (std::size_t d = 0; d < n_dof; ++d)
        now[d] -= sum_of(Pack::load(arm + d * n_lane + block * pack_width) * force);
    }
    const double* r = root + k * n_dof * n_dof;
    for (std::size_t d = 0; d < n_dof; ++d) {
      for (std::size_t c = 0; c < d; ++c) now[d] -= r[d * n_dof + c] * now[c];
      now[d] /= r[d * n_dof + d];
      const double* g = gain + (k * n_dof + d) * K::n * n_lane;
      for (std::size_t i = 0; i < K::n * n_lane; i += pack_width)
        (Pack::load(state + i) + now[d] * Pack::load(g + i)).store(state + i);
    }
  }
  // Now y is what no step before could tell, over its root.
  const auto solution_at = [&](std::size_t k) {
    double* now = y + k * n_dof;
    const double* r = root + k * n_dof * n_dof;
    for (std::size_t d = 0; d < n_dof; ++d) {
      const double* g = gain + (k * n_dof + d) * K::n * n_lane;
      Pack sum = 0.0;
      for (std::size_t i = 0; i < K::n * n_lane; i += pack_width)
        sum += Pack::load(g + i) * Pack::load(state + i);
      now[d] -= sum_of(sum);
    }
    for (std::size_t d = n_dof; d-- > 0;) {
      for (std::size_t c = d + 1; c < n_dof; ++c) now[d] -= r[c * n_dof + d] * now[c];
      now[d] /= r[d * n_dof + d];
    }
    return now;
  };
  sweep_back<K>(trial, solution_at, state, pull);
}

template <class K>
[[gnu::flatten]] void transposed_of(const LinearTrial& trial, const double* y, double* state,
                                    double* pull) {
  sweep_back<K>(trial, [&](std::size_t k) { return y + k * trial.n_dof; }, state, pull);
}

/// Call `run` for the kind of a trial.
template <class Run>
auto with_kind(const LinearTrial& trial, const Run& run) {
  if (trial.is_stiff) return trial.remembers ? run(Kind<false, true>()) : run(Kind<false, false>());
  return trial.remembers ? run(Kind<true, true>()) : run(Kind<true, false>());
}

bool factor(const LinearTrial& trial, const double* variance, double noise, double* covariance,
            double* gain, double* root) {
  return with_kind(trial, [&](auto kind) {
    return factor_of<decltype(kind)>(trial, variance, noise, covariance, gain, root);
  });
}
void solve(const LinearTrial& trial, const double* gain, const double* root, const double* offset,
           double* y, double* state, double* pull) {
  with_kind(trial, [&](auto kind) {
    solve_with<decltype(kind)>(trial, gain, root, offset, y, state, pull);
  });
}
void transposed(const LinearTrial& trial, const double* y, double* state, double* pull) {
  with_kind(trial, [&](auto kind) { transposed_of<decltype(kind)>(trial, y, state, pull); });
}

}  // namespace

const LinearTrialAlgebra CEINMS_TORCH_ISA::linear_trial_algebra{&factor, &solve, &transposed};

}  // namespace ceinms_torch::engine
