// run, chat and serve: the three programs of llama.cpp that most people want, found, built if they
// are missing, and started on the demo model if no other is named. exec: any program.
#include "cli/launch.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/system.h"
#include "cli/arguments.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/meter.h"
#include "cli/paths.h"
#include "cli/plugin_report.h"
#include "host/backend.h"
#include "host/model.h"
#include "kvsplit_build_config.h"

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

struct ToolOptions : LaunchOptions {
  std::string tool;  ///< the program, "" = the first of the arguments
};

void append(Strings& to, const Strings& more) { to.insert(to.end(), more.begin(), more.end()); }

void add_options(CLI::App& app, ToolOptions& options) {
  add_precision_options(app, options.precision, "Bits of the cache: K8V4, 8 (both sides) or FP16")
      ->expected(1);
  add_value(app, "--weights-on", options.weights_on, "DEVICE",
            "Keep the weights on another device (see --list-devices of llama.cpp's programs) and "
            "the packed cache in main memory");
  app.add_flag("--meter", options.has_meter,
               "Show below the program what its cache takes now, beside FP16, its speed and the "
               "memory left");
  const bool is_exec = options.tool.empty();
  add_value(app, is_exec ? "program" : "arguments", options.arguments,
            is_exec ? "PROGRAM ARGUMENTS…" : "ARGUMENTS…",
            is_exec
                ? "Program and its arguments, handed on as they are"
                : options.tool + "'s own options; after a -- also those that are called like ours");
}

/// run_child(), with a meter below the program.
int run_with_meter(const std::string& program, const Strings& arguments,
                   const TemporaryFolder& folder, const std::string& report) {
  Meter meter(folder);
  Child child(program, arguments);
  while (!child.exit_code()) {
    meter.show(report);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  meter.show(report);
  return child.wait();
}

/// Runs a program of llama.cpp, a path or a name, with the plugin active, and says in a line on
/// stderr what its cache took. Returns the program's exit code.
int launch(const std::string& program, const LaunchOptions& options) {
  const Caches caches = options.precision.caches({});
  const TemporaryFolder folder;
  const std::string report = folder / "report";
  const std::string name = fs::path(program).filename();
  // Before GGML_BACKEND_PATH is set: it may start llama.cpp here, which has the plugin within.
  const Strings arguments = with_plugin_arguments(name, options);
  set_plugin_environment(report);
  setenv("PATH", (environment("PATH") + ":" + llama_folder().string()).c_str(), 1);
  if (!caches.empty()) {
    set_precision(caches[0].precision, given(arguments, {"-m", "--model"}, "LLAMA_ARG_MODEL"));
  }
  const int exit_code = options.has_meter ? run_with_meter(program, arguments, folder, report)
                                          : run_child(program, arguments);
  if (!given(options.arguments, {"-h", "--help", "--version", "--list-devices"})) {
    std::fputs(fmt::format("kvsplit: {}\n", closing_line(report, name)).c_str(), stderr);
  }
  return exit_code;
}

int run(ToolOptions options) {
  Strings& arguments = options.arguments;
  if (options.tool.empty()) {
    if (arguments.empty()) throw Error("exec: a program is required; see kvsplit exec --help");
    const std::string program = arguments[0];
    arguments.erase(arguments.begin());
    return launch(program, options);
  }
  const Strings of_model = {"-m",   "--model",   "-mu", "--model-url",  "-hf",
                            "-hfr", "--hf-repo", "-dr", "--docker-repo"};
  if (!given(arguments, of_model, "LLAMA_ARG_MODEL")) append(arguments, {"-m", model_file("")});
  return launch(llama_tool(options.tool), options);
}

}  // namespace

void set_plugin_environment(const std::string& report) {
  setenv("GGML_BACKEND_PATH", plugin_file().c_str(), 1);
  setenv("KVSPLIT_REPORT", report.c_str(), 1);
}

void set_precision(Precision precision, const std::optional<std::string>& model) {
  if (model) precision = host::with_plan(precision, *model);
  if (precision.plan == "auto") throw Error("plan=auto: of which model is said by -m FILE");
  const std::string danger = model ? host::danger(precision, *model) : "";
  if (!danger.empty()) fmt::print(stderr, "kvsplit: warning: {}\n", danger);
  setenv("KVSPLIT", to_string(precision).c_str(), 1);
}

std::string llama_tool(const std::string& name) {
  const fs::path program = llama_folder() / name;
  const bool is_checkout = std::string_view(build_config::llama_cpp_version) == "checkout";
  if (!exists(program) && !is_checkout && environment("KVSPLIT_LLAMA_BIN").empty()) {
    fmt::print(stderr, "kvsplit: {} is not built yet, building it\n", name);
    run_child(shipped("scripts/llama-cpp"), {"tools"});
  }
  return program;
}

Strings with_plugin_arguments(const std::string& program, const LaunchOptions& options) {
  Strings arguments = options.arguments;
  if (program.starts_with("python")) return arguments;
  if (program.find("rpc-server") != std::string::npos) {
    if (!given(arguments, {"-d", "--device"})) append(arguments, {"-d", "KVSPLIT"});
    return arguments;
  }
  const bool is_bench = program == "llama-bench";  // it separates lists of one test by "/"
  const char* const separator = is_bench ? "/" : ",";
  const bool has_device = given(arguments, {"-dev", "--device"}, "LLAMA_ARG_DEVICE").has_value();
  if (!options.weights_on.empty()) {
    if (has_device) throw Error("--weights-on chooses the devices: leave out -dev, or that");
    append(arguments, {"-dev", fmt::format("KVSPLIT{}{}", separator, options.weights_on)});
    append(arguments, {"-ts", fmt::format("1{}0", separator)});
    // A device of an RPC server only exists once the server has been asked.
    host::start();
    host::add_rpc_servers(given(arguments, {"--rpc", "-rpc"}, "LLAMA_ARG_RPC").value_or(""));
    append(arguments, {"-ot", ".*=" + host::buffer_type_name(options.weights_on)});
  } else if (!has_device) {
    append(arguments, {"-dev", "KVSPLIT"});
  }
  if (!given(arguments, {"-ngl", "--gpu-layers", "--n-gpu-layers"}, "LLAMA_ARG_N_GPU_LAYERS")) {
    append(arguments, {"-ngl", "99"});
  }
  if (!given(arguments, {"-fa", "--flash-attn"}, "LLAMA_ARG_FLASH_ATTN")) {
    append(arguments, {"-fa", is_bench ? "1" : "on"});
  }
  return arguments;
}

void add_launchers(CLI::App& program, int& exit_code, const HandedOn& handed_on) {
  const auto add = [&](const std::string& name, const std::string& tool,
                       const std::string& description, const std::string& example) {
    ToolOptions options;
    options.tool = tool;
    options.arguments = handed_on;
    add_command(program, exit_code, name, description, example, options);
  };
  add("run", "llama-completion", "Complete a text, with llama-completion",
      "kvsplit run --kvq K8V4 -p 'The lighthouse keeper' -n 64 -no-cnv");
  add("chat", "llama-cli", "Chat in the terminal, with llama-cli",
      "kvsplit chat --kvq K4V4 -m model.gguf");
  add("serve", "llama-server", "Serve over HTTP, with llama-server",
      "kvsplit serve --kvq K8V4 -m model.gguf -c 32768 --port 8080");
  add("exec", "", "Run any program of llama.cpp with the packed cache",
      "kvsplit exec --kvq K8V4 -- llama-server -m model.gguf -c 32768");
}

}  // namespace kvsplit::cli
