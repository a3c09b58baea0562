# Imported targets for the torch that pip installed beside the Python interpreter of this build:
#   TorchFromPip::core    LibTorch without Python
#   TorchFromPip::python  the same, with the at::Tensor <-> torch.Tensor conversion
#
# Torch's own find_package(Torch) is not used: with a CUDA build of torch and no CUDA toolkit, which is
# what a default install on Linux gives, it stops with a fatal error, although we need neither.

execute_process(
  COMMAND "${Python_EXECUTABLE}" -c
          "import importlib.util as u; s = u.find_spec('torch'); print(s.origin if s else '', end='')"
  OUTPUT_VARIABLE torch_init COMMAND_ERROR_IS_FATAL ANY)
if(NOT torch_init)
  message(FATAL_ERROR "torch is not installed for ${Python_EXECUTABLE}. "
    "Install it and try again: \"${Python_EXECUTABLE}\" -m pip install torch==2.13.0")
endif()
cmake_path(GET torch_init PARENT_PATH torch_root)
message(STATUS "Found torch: ${torch_root}")

function(add_torch_target name)
  add_library(TorchFromPip::${name} INTERFACE IMPORTED)
  foreach(library IN LISTS ARGN)
    # The cache keeps the answer, so its name says which torch it was found in.
    string(MD5 key "${torch_root}/${library}")
    find_library(TORCH_${library}_${key} ${library} PATHS "${torch_root}/lib" NO_DEFAULT_PATH REQUIRED)
    mark_as_advanced(TORCH_${library}_${key})
    target_link_libraries(TorchFromPip::${name} INTERFACE "${TORCH_${library}_${key}}")
  endforeach()
endfunction()

add_torch_target(core torch torch_cpu c10)
target_include_directories(TorchFromPip::core SYSTEM INTERFACE
  "${torch_root}/include" "${torch_root}/include/torch/csrc/api/include")
add_torch_target(python torch_python)
target_link_libraries(TorchFromPip::python INTERFACE TorchFromPip::core)
