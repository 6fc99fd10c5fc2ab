# The llama.cpp that we build for, as imported targets: kvsplit_ggml (public headers, libggml and
# libggml-base), kvsplit_ggml_internal (ggml's own headers, for plugin/ alone) and kvsplit_llama.
#
# Which llama.cpp: with KVSPLIT_LLAMA_SOURCE and KVSPLIT_LLAMA_BUILD the one named; with the source
# alone, a build of it in the user's cache folder; with neither, the pinned version there. The last
# two are built now unless they are there already.
set(KVSPLIT_LLAMA_VERSION checkout)
if(NOT KVSPLIT_LLAMA_BUILD)
  set(script ${PROJECT_SOURCE_DIR}/scripts/llama-cpp)
  if(KVSPLIT_LLAMA_SOURCE)
    set(ENV{KVSPLIT_LLAMA_SOURCE} ${KVSPLIT_LLAMA_SOURCE})
  endif()
  execute_process(COMMAND ${script} libs RESULT_VARIABLE failed)
  execute_process(COMMAND ${script} paths OUTPUT_VARIABLE paths RESULT_VARIABLE failed_paths)
  if(failed OR failed_paths)
    message(FATAL_ERROR "scripts/llama-cpp failed; see above")
  endif()
  foreach(name source build modules portable version)
    string(REGEX MATCH "${name}=([^\n]*)" match "${paths}")
    string(TOUPPER ${name} upper)
    set(KVSPLIT_LLAMA_${upper} ${CMAKE_MATCH_1})
  endforeach()
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
endif()

if(NOT EXISTS "${KVSPLIT_LLAMA_SOURCE}/ggml/include/ggml.h")
  message(FATAL_ERROR
    "KVSPLIT_LLAMA_SOURCE='${KVSPLIT_LLAMA_SOURCE}' holds no llama.cpp (no ggml/include/ggml.h)")
endif()
set(KVSPLIT_LLAMA_BIN "${KVSPLIT_LLAMA_BUILD}/bin")
set(KVSPLIT_LLAMA_MODULES_BIN "")
if(KVSPLIT_LLAMA_MODULES)
  set(KVSPLIT_LLAMA_MODULES_BIN "${KVSPLIT_LLAMA_MODULES}/bin")
endif()

function(kvsplit_import name)
  find_library(library ${name} PATHS ${KVSPLIT_LLAMA_BIN} NO_DEFAULT_PATH NO_CACHE)
  if(NOT library)
    message(FATAL_ERROR
      "KVSPLIT_LLAMA_BUILD='${KVSPLIT_LLAMA_BUILD}' holds no lib${name} in bin/; "
      "it must be a build made with BUILD_SHARED_LIBS=ON")
  endif()
  add_library(kvsplit_import_${name} SHARED IMPORTED)
  set_target_properties(kvsplit_import_${name} PROPERTIES IMPORTED_LOCATION ${library})
endfunction()
kvsplit_import(ggml-base)
kvsplit_import(ggml)
kvsplit_import(llama)

add_library(kvsplit_ggml INTERFACE)
target_include_directories(kvsplit_ggml SYSTEM INTERFACE ${KVSPLIT_LLAMA_SOURCE}/ggml/include)
target_link_libraries(kvsplit_ggml INTERFACE kvsplit_import_ggml kvsplit_import_ggml-base)

add_library(kvsplit_ggml_internal INTERFACE)
target_include_directories(kvsplit_ggml_internal SYSTEM INTERFACE ${KVSPLIT_LLAMA_SOURCE}/ggml/src)
target_link_libraries(kvsplit_ggml_internal INTERFACE kvsplit_ggml)

add_library(kvsplit_llama INTERFACE)
# src/ for llama-ext.h alone: what its API says of memory is not in llama.h yet.
target_include_directories(kvsplit_llama SYSTEM INTERFACE ${KVSPLIT_LLAMA_SOURCE}/include
  ${KVSPLIT_LLAMA_SOURCE}/src)
target_link_libraries(kvsplit_llama INTERFACE kvsplit_import_llama kvsplit_ggml)

# The version that the plugin is bound to, asked of the built library itself.
unset(KVSPLIT_ASK_RUN CACHE)
unset(KVSPLIT_ASK_COMPILED CACHE)
get_target_property(ggml_base kvsplit_import_ggml-base IMPORTED_LOCATION)
try_run(KVSPLIT_ASK_RUN KVSPLIT_ASK_COMPILED
  ${PROJECT_BINARY_DIR}/ask_ggml ${PROJECT_SOURCE_DIR}/cmake/ask_ggml.cpp
  CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${KVSPLIT_LLAMA_SOURCE}/ggml/include
  LINK_LIBRARIES ${ggml_base} -Wl,-rpath,${KVSPLIT_LLAMA_BIN}
  COMPILE_OUTPUT_VARIABLE KVSPLIT_ASK_COMPILE_OUTPUT
  RUN_OUTPUT_VARIABLE KVSPLIT_ASK_OUTPUT)
if(NOT KVSPLIT_ASK_COMPILED OR NOT KVSPLIT_ASK_RUN EQUAL 0)
  message(FATAL_ERROR "libggml of ${KVSPLIT_LLAMA_BIN} does not run: "
    "${KVSPLIT_ASK_COMPILE_OUTPUT}${KVSPLIT_ASK_OUTPUT}")
endif()
if(KVSPLIT_ASK_OUTPUT MATCHES "ggml ([^ ]+) ([^ \n]+)")
  set(KVSPLIT_GGML_VERSION ${CMAKE_MATCH_1})
  set(KVSPLIT_GGML_COMMIT ${CMAKE_MATCH_2})
endif()
message(STATUS "Building for ggml ${KVSPLIT_GGML_VERSION} (${KVSPLIT_GGML_COMMIT})")
