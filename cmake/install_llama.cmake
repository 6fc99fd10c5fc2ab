# Run by `cmake --install`: puts a part of llama.cpp from the folder `from` into `folder`, each file
# looking for libraries beside itself (`origin`).
#   part = programs   llama.cpp's programs and their libraries, all but ggml's
#   part = ggml       libggml…, and its modules if it has any
if(NOT IS_DIRECTORY "${from}")
  message(FATAL_ERROR "llama.cpp's ${part}: no folder '${from}'; run scripts/llama-cpp first")
endif()

set(read_all OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(run_all ${read_all} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
function(put file name)  # PERMISSION…
  file(REAL_PATH ${file} real)
  file(INSTALL ${real} DESTINATION ${folder} RENAME ${name} PERMISSIONS ${ARGN})
  set(installed $ENV{DESTDIR}${folder}/${name})
  if(APPLE)
    execute_process(COMMAND install_name_tool -add_rpath ${origin} ${installed} ERROR_QUIET)
  else()
    file(READ_ELF ${installed} RUNPATH run_path CAPTURE_ERROR error)
    if(run_path)  # libggml-base needs none of the others and has none
      file(RPATH_SET FILE ${installed} NEW_RPATH ${origin})
    endif()
  endif()
  if(CMAKE_INSTALL_DO_STRIP)
    execute_process(COMMAND ${strip} --strip-unneeded ${installed} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endfunction()

if(part STREQUAL "ggml")  # modules of an earlier call would be loaded too
  file(GLOB earlier $ENV{DESTDIR}${folder}/libggml*)
  list(FILTER earlier EXCLUDE REGEX "libggml-kvsplit")
  if(earlier)
    file(REMOVE ${earlier})
  endif()
endif()

# Libraries by the name that programs ask for: libllama.so.0, not libllama.so or libllama.so.0.5.0.
# One without a version is its own name, as modules are.
file(GLOB found ${from}/lib*.so ${from}/lib*.so.* ${from}/lib*.dylib)
set(n_libraries 0)
foreach(file ${found})
  get_filename_component(name ${file} NAME)
  set(wanted OFF)
  if(name MATCHES "(\\.so\\.[0-9]+|\\.[0-9]+\\.dylib)$")
    set(wanted ON)
  elseif(name MATCHES "(\\.so|[^0-9]\\.dylib)$" AND NOT IS_SYMLINK ${file})
    set(wanted ON)
  endif()
  if(name MATCHES "^libggml" AND NOT part STREQUAL "ggml")
    set(wanted OFF)
  elseif(NOT name MATCHES "^libggml" AND part STREQUAL "ggml")
    set(wanted OFF)
  elseif(name MATCHES "-sapphirerapids\\.")
    set(wanted OFF)  # AMX products, see scripts/llama-cpp; another module does its work
  endif()
  if(wanted)
    put(${file} ${name} ${read_all})
    math(EXPR n_libraries "${n_libraries} + 1")
  endif()
endforeach()
if(n_libraries EQUAL 0)
  message(FATAL_ERROR "llama.cpp's ${part}: '${from}' holds none; run scripts/llama-cpp first")
endif()

if(part STREQUAL "programs")
  file(GLOB found ${from}/llama-* ${from}/ggml-rpc-server)
  foreach(file ${found})
    get_filename_component(name ${file} NAME)
    put(${file} ${name} ${run_all})
  endforeach()
endif()
