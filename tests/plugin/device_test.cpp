// The device as hosts see it: what it is, what it takes, where weights go, and how it is loaded.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/plugin/host.h"
#include "tests/support/run_program.h"

namespace kvsplit::test {
namespace {

using Scheduler = std::unique_ptr<ggml_backend_sched, decltype(&ggml_backend_sched_free)>;

class Device : public testing::Test {
 protected:
  Device() { use("K8V4"); }

  Host host_ = Host::kvsplit();
  Host cpu_ = Host::cpu();

  template <class Function>
  static Function* find(const Host& host, const char* name) {
    return reinterpret_cast<Function*>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(host.device()), name));
  }
};

TEST_F(Device, IsAGpuWithTheMemoryOfTheMachine) {
  ggml_backend_dev_props ours;
  ggml_backend_dev_props theirs;
  ggml_backend_dev_get_props(host_.device(), &ours);
  ggml_backend_dev_get_props(cpu_.device(), &theirs);
  EXPECT_EQ(ours.name, std::string("KVSPLIT"));
  EXPECT_EQ(ours.type, GGML_BACKEND_DEVICE_TYPE_GPU);
  EXPECT_EQ(ours.memory_total, theirs.memory_total);
  EXPECT_TRUE(ours.caps.buffer_from_host_ptr);  // or weights would be copied out of the mapped file
}

TEST_F(Device, TakesHostBuffersAndTheCpusOthers) {
  EXPECT_TRUE(ggml_backend_dev_supports_buft(host_.device(), host_.buffer_type()));
  EXPECT_TRUE(ggml_backend_dev_supports_buft(host_.device(), cpu_.buffer_type()));
  EXPECT_FALSE(ggml_backend_buft_is_host(host_.buffer_type()));
  auto* const extra = find<ggml_backend_buffer_type_t*(ggml_backend_dev_t)>(
      host_, "ggml_backend_dev_get_extra_bufts");
  auto* const cpu_extra = find<ggml_backend_buffer_type_t*(ggml_backend_dev_t)>(
      cpu_, "ggml_backend_dev_get_extra_bufts");
  ASSERT_NE(extra, nullptr);
  ASSERT_NE(cpu_extra, nullptr);
  const auto* ours = extra(host_.device());
  const auto* theirs = cpu_extra(cpu_.device());
  for (; *theirs != nullptr; ++ours, ++theirs) {
    EXPECT_EQ(*ours, *theirs);
    EXPECT_TRUE(ggml_backend_dev_supports_buft(host_.device(), *theirs));
  }
  EXPECT_EQ(*ours, nullptr);
}

TEST_F(Device, ForwardsTheCpusFunctions) {
  for (const char* name : {"ggml_backend_set_n_threads", "ggml_backend_set_abort_callback",
                           "ggml_backend_cpu_set_threadpool", "ggml_backend_get_features"}) {
    EXPECT_NE(find<void()>(host_, name), nullptr) << name;
  }
  EXPECT_EQ(find<void()>(host_, "no_such_function"), nullptr);
}

TEST_F(Device, IsStoppedByTheHostsAbortCallback) {
  auto* const set = find<void(ggml_backend_t, ggml_abort_callback, void*)>(
      host_, "ggml_backend_set_abort_callback");
  const LayerShape shape;
  const LayerCache cache(host_, shape);
  const Step step = random_step(shape, shape.kv_size, 1, 1);
  set(
      host_.backend(), [](void*) { return true; }, nullptr);
  EXPECT_THROW(run(host_, cache, step), std::runtime_error);
  EXPECT_EQ(host_.last_status(), GGML_STATUS_ABORTED);
  set(host_.backend(), nullptr, nullptr);
  EXPECT_NO_THROW(run(host_, cache, step));
}

// How llama.cpp looks for the place of a weight: a product with it, and an empty buffer of each
// type.
class WeightPlaces : public Device {
 protected:
  bool accepts(ggml_type type, ggml_backend_buffer_type_t place) {
    const Context context = make_context();
    ggml_tensor* const weight = ggml_new_tensor_2d(context.get(), type, 512, 512);
    ggml_tensor* const product = ggml_mul_mat(
        context.get(), weight, ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 512, 16));
    const Buffer buffer(ggml_backend_buft_alloc_buffer(place, 0), ggml_backend_buffer_free);
    weight->buffer = buffer.get();
    return ggml_backend_dev_supports_op(host_.device(), product);
  }

  /// The types that the CPU device would choose, fastest first.
  std::vector<ggml_backend_buffer_type_t> extra_types() const {
    auto* const get = find<ggml_backend_buffer_type_t*(ggml_backend_dev_t)>(
        cpu_, "ggml_backend_dev_get_extra_bufts");
    std::vector<ggml_backend_buffer_type_t> types;
    for (const auto* type = get(cpu_.device()); *type != nullptr; ++type) types.push_back(*type);
    return types;
  }
};

TEST_F(WeightPlaces, AreTheCpusWhereThoseAreFaster) {
  for (const ggml_type type : {GGML_TYPE_Q4_0, GGML_TYPE_Q4_K, GGML_TYPE_F16, GGML_TYPE_F32}) {
    bool repacked = false;
    for (ggml_backend_buffer_type_t place : extra_types())
      repacked = repacked || accepts(type, place);
    EXPECT_NE(accepts(type, host_.buffer_type()), repacked) << ggml_type_name(type);
    EXPECT_TRUE(accepts(type, cpu_.buffer_type())) << ggml_type_name(type);
  }
}

TEST_F(WeightPlaces, OfRealWeightsAreNotQuestioned) {
  const Context context = make_context();
  ggml_tensor* const weight = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q4_0, 512, 512);
  const Buffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(context.get(), host_.buffer_type()),
                      ggml_backend_buffer_free);
  ggml_tensor* const product = ggml_mul_mat(
      context.get(), weight, ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 512, 16));
  EXPECT_TRUE(ggml_backend_dev_supports_op(host_.device(), product));
}

// Weights in the CPU's repacked type, activations in our buffers: still ours to compute.
TEST_F(WeightPlaces, AreReadFromHere) {
  for (ggml_backend_buffer_type_t place : extra_types()) {
    const Context weights = make_context();
    ggml_tensor* const weight = ggml_new_tensor_2d(weights.get(), GGML_TYPE_Q4_0, 512, 512);
    if (!accepts(GGML_TYPE_Q4_0, place)) continue;
    const Buffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(weights.get(), place),
                        ggml_backend_buffer_free);
    const std::vector<float> numbers = random_numbers(512UL * 512, 1);
    std::vector<std::byte> quantised(ggml_nbytes(weight));
    ggml_quantize_chunk(GGML_TYPE_Q4_0, numbers.data(), quantised.data(), 0, 512, 512, nullptr);
    ggml_backend_tensor_set(weight, quantised.data(), 0, quantised.size());
    const auto product = [&](Host& host) {
      return host.compute([&](ggml_context* context, ggml_cgraph* /*graph*/) {
        ggml_tensor* const x = host.input(context, random_numbers(512 * 3, 2), {512, 3});
        ggml_tensor* const node = ggml_mul_mat(context, weight, ggml_scale(context, x, 2));
        EXPECT_TRUE(ggml_backend_dev_supports_op(host.device(), node));
        return node;
      });
    };
    EXPECT_EQ(product(host_), product(cpu_));
    // Also asked when the activations have their place already, one that the CPU calls foreign.
    const Context context = make_context();
    ggml_tensor* const x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 512, 3);
    const Buffer x_buffer(
        ggml_backend_alloc_ctx_tensors_from_buft(context.get(), host_.buffer_type()),
        ggml_backend_buffer_free);
    ggml_tensor* const placed = ggml_mul_mat(context.get(), weight, x);
    EXPECT_FALSE(ggml_backend_dev_supports_op(cpu_.device(), placed));
    EXPECT_TRUE(ggml_backend_dev_supports_op(host_.device(), placed));
  }
}

// All operations that touch a cache must come to us, even those that we can only refuse, and also
// while a host only reckons what would fit, with caches in buffers without memory.
TEST_F(Device, WantsAllThatTouchesACache) {
  const Context context = make_context();
  ggml_tensor* const k = ggml_new_tensor_3d(context.get(), GGML_TYPE_F16, 128, 64, 1);
  ggml_set_name(k, "cache_k_l3");
  const Buffer empty(ggml_backend_buft_alloc_buffer(host_.buffer_type(), 0),
                     ggml_backend_buffer_free);
  k->buffer = empty.get();
  ggml_tensor* const q = ggml_new_tensor_2d(context.get(), GGML_TYPE_BF16, 128, 4);
  ggml_tensor* const product = ggml_mul_mat(context.get(), k, q);  // no CPU does f16 by bf16
  EXPECT_FALSE(ggml_backend_dev_supports_op(cpu_.device(), product));
  EXPECT_TRUE(ggml_backend_dev_supports_op(host_.device(), product));
  ggml_tensor* const view = ggml_view_2d(context.get(), k, 128, 32, k->nb[1], 0);
  EXPECT_TRUE(ggml_backend_dev_supports_op(host_.device(), ggml_mul_mat(context.get(), view, q)));
}

// With our buffers no host memory to ggml, nothing is copied all the same.
TEST_F(Device, GraphsStayInOnePiece) {
  std::array<ggml_backend_t, 2> backends{host_.backend(), cpu_.backend()};
  const Scheduler scheduler(
      ggml_backend_sched_new(backends.data(), nullptr, 2, GGML_DEFAULT_GRAPH_SIZE, false, true),
      ggml_backend_sched_free);
  const LayerShape shape;
  const LayerCache cache(host_, shape);
  const Context weights = make_context();
  ggml_tensor* const weight = ggml_new_tensor_2d(weights.get(), GGML_TYPE_F16, 64, 256);
  const Buffer weight_buffer(
      ggml_backend_alloc_ctx_tensors_from_buft(weights.get(), cpu_.buffer_type()),
      ggml_backend_buffer_free);
  ggml_backend_buffer_set_usage(weight_buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  const Context context = make_context();
  ggml_cgraph* const graph = ggml_new_graph(context.get());
  const Step step = random_step(shape, shape.kv_size, 3, 1);
  ggml_tensor* const attended = attention(host_, context.get(), cache, step);
  ggml_build_forward_expand(graph, ggml_mul_mat(context.get(), weight, attended));
  ASSERT_TRUE(ggml_backend_sched_alloc_graph(scheduler.get(), graph));
  EXPECT_EQ(ggml_backend_sched_get_n_splits(scheduler.get()), 1);
}

TEST_F(Device, LargeBuffersCostNothingUntilTouched) {
  const auto resident = [] {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t pages = 0;
    statm >> total >> pages;
    return pages * 4096;
  };
  const std::size_t before = resident();
  if (before == 0) GTEST_SKIP() << "no /proc here";
  const LayerShape shape{64, 64, 8, 8, 1 << 18, 1};  // 356 MB packed
  const LayerCache cache(host_, shape);
  run(host_, cache, random_step(shape, 64, 1, 1));
  EXPECT_LT(resident() - before, 50U << 20U);
}

// As programs load it: the library alone, found by its entry function.
TEST_F(Device, IsLoadedFromItsFile) {
  const TestFolder folder;
  const std::string report = folder / "report";
  setenv("KVSPLIT_REPORT", report.c_str(), 1);
  setenv("KVSPLIT", "K5V3:sinks=0:window=0", 1);
  const ggml_backend_reg_t registry = ggml_backend_load(environment("KVSPLIT_TEST_PLUGIN").c_str());
  ASSERT_NE(registry, nullptr);
  EXPECT_EQ(ggml_backend_reg_name(registry), std::string("KVSPLIT"));
  Host loaded(ggml_backend_reg_dev_get(registry, 0), 2);
  const LayerShape shape;
  {
    const LayerCache cache(loaded, shape);
    run(loaded, cache, random_step(shape, shape.kv_size, 1, 1));
  }
  unsetenv("KVSPLIT_REPORT");
  unsetenv("KVSPLIT");

  std::ifstream lines(report);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["event"], "loaded");
  ASSERT_TRUE(std::getline(lines, line));
  const nlohmann::json event = nlohmann::json::parse(line);
  EXPECT_EQ(event["event"], "cache");
  EXPECT_EQ(event["precision"], "K5V3:sinks=0:window=0");
  EXPECT_EQ(event["k_bytes"], 64 * 128 * 11 / 16);  // 5.5 bits
  EXPECT_EQ(event["v_bytes"], 64 * 128 * 7 / 16);   // 3.5 bits
  EXPECT_EQ(event["fp16_bytes"], 2 * 64 * 128 * 2);
}

}  // namespace
}  // namespace kvsplit::test
