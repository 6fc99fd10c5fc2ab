# A Homebrew formula. Builds on the user's machine, for its processor, with llama.cpp's pinned
# version as a resource; docs/packaging.md says what of it has been tried.
class Kvsplit < Formula
  desc "Packed KV caches for llama.cpp, keys and values apart"
  homepage "https://github.com/ggml-org/llama.cpp" # until kvsplit has a page of its own
  head "file://#{ENV.fetch("HOMEBREW_KVSPLIT_REPOSITORY", Dir.pwd)}", using: :git, branch: "main"
  license "MIT"

  depends_on "cli11" => :build
  depends_on "cmake" => :build
  depends_on "eigen" => :build
  depends_on "ninja" => :build
  depends_on "nlohmann-json" => :build
  depends_on "python@3.13" # also at run time: `kvsplit pull`
  depends_on "fmt"

  def install
    # llama.cpp is built in a cache folder that goes with the build; the tree that is installed
    # holds all of it that is needed.
    ENV["HOME"] = buildpath
    ENV["XDG_CACHE_HOME"] = buildpath/"cache"
    system "scripts/llama-cpp", "tools"
    system "cmake", "-S", ".", "-B", "build/release", "-G", "Ninja",
           "-DKVSPLIT_BUILD_TESTS=OFF", *std_cmake_args
    system "cmake", "--build", "build/release"
    system "scripts/package", "install", prefix
  end

  test do
    assert_match "ggml", shell_output("#{bin}/kvsplit --version")
    assert_match "smollm2-135m", shell_output("#{bin}/kvsplit pull --list")
    assert_path_exists lib/"kvsplit/libggml-kvsplit.so"
  end
end
