#include "cli/launch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "cli/arguments.h"
#include "cli/child.h"
#include "cli/paths.h"
#include "cli/plugin_report.h"
#include "host/backend.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

const Strings device_spellings = {"-dev", "--device"};
const Strings layers_spellings = {"-ngl", "--gpu-layers", "--n-gpu-layers"};
const Strings flash_spellings = {"-fa", "--flash-attn"};
const Strings model_spellings = {"-m",   "--model",   "-mu", "--model-url",  "-hf",
                                 "-hfr", "--hf-repo", "-dr", "--docker-repo"};

fs::path empty_file() {
  std::string name = (fs::temp_directory_path() / "kvsplit-report-XXXXXX").string();
  const int descriptor = mkstemp(name.data());
  if (descriptor < 0) throw Error(fmt::format("{}: cannot be written", name));
  close(descriptor);
  return name;
}

bool is_given(const Strings& arguments, const Strings& spellings, const char* variable) {
  return has_option(arguments, spellings) || !environment(variable).empty();
}

void append(Strings& to, const Strings& more) { to.insert(to.end(), more.begin(), more.end()); }

/// What llama.cpp calls the memory of the weights' device. A device of an RPC server only exists
/// once the server has been asked, and its memory is named after the server.
std::string buffer_type_of(const std::string& device, const Strings& arguments) {
  std::string servers = option_value(arguments, {"--rpc", "-rpc"});
  if (servers.empty()) servers = environment("LLAMA_ARG_RPC");
  host::start();
  if (!servers.empty()) host::add_rpc_servers(servers);
  return host::buffer_type_name(device);
}

/// Builds llama.cpp's programs, beside the libraries that this program was built with.
void build_tools(const std::string& wanted) {
  const bool is_checkout = std::string_view(build_config::llama_cpp_version) == "checkout";
  if (is_checkout && environment("KVSPLIT_LLAMA_SOURCE").empty()) {
    throw Error(
        fmt::format("{} is not built yet: run make tools with KVSPLIT_LLAMA_SOURCE set to the "
                    "checkout that kvsplit was built for",
                    wanted));
  }
  std::fputs(
      fmt::format("kvsplit: {} is not built yet, building llama.cpp's programs\n", wanted).c_str(),
      stderr);
  ChildCall build;
  build.program = fs::path(build_config::scripts_dir) / "llama-cpp";
  build.arguments = {"tools"};
  build.output_to_stderr = true;
  if (run_child(build) != 0) throw Error("llama.cpp's programs could not be built, see above");
}

}  // namespace

void add_launch_options(CLI::App& app, LaunchOptions& options) {
  add_precision_option(app, options.precision);
  app.add_option("--weights-on", options.weights_on,
                 "Keep the weights on another device (see --list-devices of llama.cpp's programs) "
                 "and the packed cache in main memory")
      ->type_name("DEVICE");
}

Strings with_plugin_arguments(const std::string& program, const LaunchOptions& options) {
  Strings arguments = options.arguments;
  if (program.starts_with("python")) return arguments;
  if (program.find("rpc-server") != std::string::npos) {
    if (!has_option(arguments, {"-d", "--device"})) append(arguments, {"-d", "KVSPLIT"});
    return arguments;
  }
  const bool is_bench = program == "llama-bench";  // it separates lists of one test by "/"
  const bool has_device = is_given(arguments, device_spellings, "LLAMA_ARG_DEVICE");
  if (!options.weights_on.empty()) {
    if (has_device)
      throw Error("--weights-on chooses the devices: leave out -dev, or --weights-on");
    const std::string& device = options.weights_on;
    append(arguments, {"-dev", "KVSPLIT" + std::string(is_bench ? "/" : ",") + device});
    append(arguments, {"-ts", is_bench ? "1/0" : "1,0"});
    append(arguments, {"-ot", ".*=" + buffer_type_of(device, arguments)});
  } else if (!has_device) {
    append(arguments, {"-dev", "KVSPLIT"});
  }
  if (!is_given(arguments, layers_spellings, "LLAMA_ARG_N_GPU_LAYERS")) {
    append(arguments, {"-ngl", "99"});
  }
  if (!is_given(arguments, flash_spellings, "LLAMA_ARG_FLASH_ATTN")) {
    append(arguments, {"-fa", is_bench ? "1" : "on"});
  }
  return arguments;
}

int launch(const fs::path& program, const LaunchOptions& options) {
  const std::vector<Precision> precisions = options.precision.precisions();
  const Temporary report(empty_file());
  const std::string name = program.filename().string();
  ChildCall call;
  call.program = program;
  call.arguments = with_plugin_arguments(name, options);
  setenv("GGML_BACKEND_PATH", plugin_file().c_str(), 1);
  setenv("KVSPLIT_REPORT", report.path().c_str(), 1);
  if (!precisions.empty()) setenv("KVSPLIT", to_string(precisions[0]).c_str(), 1);
  const int exit_code = run_child(call);
  const Strings asks_only = {"-h", "--help", "--version", "--list-devices"};
  if (!has_option(options.arguments, asks_only)) {
    std::fputs(fmt::format("kvsplit: {}\n", closing_line(report.path(), name)).c_str(), stderr);
  }
  return exit_code;
}

int launch_tool(const std::string& name, LaunchOptions options) {
  if (!is_given(options.arguments, model_spellings, "LLAMA_ARG_MODEL")) {
    append(options.arguments, {"-m", model_file("")});
  }
  const fs::path program = llama_folder() / name;
  if (!fs::exists(program) && environment("KVSPLIT_LLAMA_BIN").empty()) build_tools(name);
  if (!fs::exists(program)) throw Error(fmt::format("{}: no such program", program.string()));
  return launch(program, options);
}

}  // namespace kvsplit::cli
