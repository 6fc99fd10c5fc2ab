# What every source of ours is compiled with. `kvsplit_options` is linked by each of our targets.
add_library(kvsplit_options INTERFACE)
target_compile_features(kvsplit_options INTERFACE cxx_std_20)

# No contraction: encoded bytes must be the same on every machine, with and without FMA.
# No -march: kernels switch instruction sets on by region and are chosen at start.
target_compile_options(kvsplit_options INTERFACE
  -ffp-contract=off -fno-math-errno -Wall -Wextra $<$<BOOL:${KVSPLIT_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Sees overlapping copies in every `"text" + std::string` at -O3 (GCC bug 105651).
  target_compile_options(kvsplit_options INTERFACE -Wno-restrict)
endif()
target_include_directories(kvsplit_options INTERFACE
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)
target_link_libraries(kvsplit_options INTERFACE Threads::Threads)

find_program(KVSPLIT_CCACHE ccache)
if(KVSPLIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KVSPLIT_CCACHE})
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
set(CMAKE_CXX_FLAGS_SANITIZED "-O2 -g1")  # at -O1 vector wrappers are calls: 200 times slower

if(KVSPLIT_SANITIZE)
  target_compile_options(kvsplit_options INTERFACE
    -fsanitize=${KVSPLIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(kvsplit_options INTERFACE -fsanitize=${KVSPLIT_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code hides from g++ that members are set; it warns inside <regex>.
    target_compile_options(kvsplit_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
