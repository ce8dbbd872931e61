# Compiler flags as one interface target, queuack_flags, so that nothing global leaks to embedders.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(queuack_flags INTERFACE)
target_compile_definitions(queuack_flags INTERFACE _GNU_SOURCE)
target_compile_options(queuack_flags INTERFACE -Wall -Wextra $<$<BOOL:${QUEUACK_WERROR}>:-Werror>)

if(QUEUACK_SANITIZE)
  string(REPLACE ";" "," sanitizers "${QUEUACK_SANITIZE}")
  target_compile_options(queuack_flags INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer)
  target_link_options(queuack_flags INTERFACE -fsanitize=${sanitizers})
  if("undefined" IN_LIST QUEUACK_SANITIZE)
    target_compile_options(queuack_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()

if(QUEUACK_COVERAGE)
  target_compile_options(queuack_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(queuack_flags INTERFACE --coverage)
endif()

# clang links a sanitized shared library without its runtime, which the program brings.
set(queuack_no_undefined)
if(NOT APPLE AND NOT QUEUACK_SANITIZE)
  set(queuack_no_undefined LINKER:--no-undefined)
endif()
