#include "host/log.h"

#include <llama.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace kvsplit::host {
namespace {

// llama.cpp knows one logger per process, so the captures that listen to it are process-wide too.
std::mutex captures_mutex;  // of the list, and of what each has captured
std::vector<LogCapture*> captures;

bool verbose_flag = false;

/// "llama_model_load: error loading model: tensor …" without what only a developer looks for.
std::string without_origin(const std::string& line) {
  const std::size_t end = line.find(": ");
  const bool is_function = end != std::string::npos && line.find_first_of(" '\"(") > end && end > 0;
  return is_function ? line.substr(end + 2) : line;
}

}  // namespace

LogCapture::LogCapture() {
  const std::lock_guard lock(captures_mutex);
  captures.push_back(this);
}

LogCapture::~LogCapture() {
  const std::lock_guard lock(captures_mutex);
  captures.erase(std::find(captures.begin(), captures.end(), this));
}

void LogCapture::receive(ggml_log_level level, const char* text, void* verbose) {
  if (*static_cast<bool*>(verbose)) std::fputs(text, stderr);
  if (level == GGML_LOG_LEVEL_CONT) return;
  std::string line(text);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  const std::lock_guard lock(captures_mutex);
  for (LogCapture* capture : captures) {
    capture->lines_.push_back({level == GGML_LOG_LEVEL_ERROR, line});
  }
}

std::string LogCapture::first_error() const {
  const std::lock_guard lock(captures_mutex);
  const auto found = std::find_if(lines_.begin(), lines_.end(), [](const Line& line) {
    return line.is_error && !line.text.empty();
  });
  return found == lines_.end() ? "" : without_origin(found->text);
}

double LogCapture::sum_after(const std::string& label) const {
  const std::lock_guard lock(captures_mutex);
  double sum = 0;
  for (const Line& line : lines_) {
    const std::size_t at = line.text.find(label);
    if (at != std::string::npos) sum += std::strtod(line.text.c_str() + at + label.size(), nullptr);
  }
  return sum;
}

void install_log(bool verbose) {
  verbose_flag = verbose;
  llama_log_set(LogCapture::receive, &verbose_flag);
}

}  // namespace kvsplit::host
