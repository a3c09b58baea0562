/// @file input_error.hpp
/// What is wrong with an argument, in parts. Python makes an error of its own of them.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

namespace ceinms_torch::kernel {

/// A number as a message shows it.
inline std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

struct InputError : std::invalid_argument {
  std::string where;     ///< the argument
  std::string expected;  ///< without a full stop, as all of them
  std::string got;
  std::string hint;

  InputError(std::string name, std::string wanted, std::string found, std::string advice = {})
      : std::invalid_argument(name + ": expected " + wanted + ", got " + found + "."),
        where(std::move(name)),
        expected(std::move(wanted)),
        got(std::move(found)),
        hint(std::move(advice)) {}
};

}  // namespace ceinms_torch::kernel
