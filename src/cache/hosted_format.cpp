#include "cache/hosted_format.h"

#include <charconv>
#include <cstdlib>
#include <utility>

#include "cache/plan.h"
#include "cache/row_image.h"

namespace kvsplit {
namespace {

Precision precision_for(const NominalRows& nominal, const std::optional<Precision>& chosen,
                        std::string& note) {
  Precision precision = chosen.value_or(Precision{});
  if (!nominal.quantised()) return precision;
  if (chosen && (has_exact_rows(precision) || !precision.plan.empty())) {
    note = "no plan and no exact rows beside type " + nominal.type;
  }
  precision.sinks = precision.window = 0;
  precision.plan.clear();
  int& bits = nominal.side == Side::key ? precision.k_bits : precision.v_bits;
  if (chosen && bits > nominal.bits()) {
    note = std::to_string(bits) + " bits do not fit into rows of type " + nominal.type + ", " +
           std::to_string(nominal.bits()) + " taken";
  }
  if (!chosen || bits > nominal.bits()) bits = nominal.bits();
  return precision;
}

}  // namespace

bool NominalRows::quantised() const { return type.starts_with('q') || type.starts_with("iq"); }

int NominalRows::bits() const {
  if (type == "q8_0") return 8;
  if (type == "q5_0" || type == "q5_1") return 5;
  if (type == "q4_0" || type == "q4_1" || type == "iq4_nl") return 4;
  return 0;
}

bool NominalRows::host_rotates() const {
  const char* const disabled = std::getenv("LLAMA_ATTN_ROT_DISABLE");
  // NOLINTNEXTLINE(cert-err34-c): as the host reads it
  return quantised() && (disabled == nullptr || std::atoi(disabled) == 0);
}

std::optional<NominalRows> parse_cache_name(std::string_view name) {
  constexpr std::string_view keys = "cache_k_l";
  constexpr std::string_view values = "cache_v_l";
  if (!name.starts_with(keys) && !name.starts_with(values)) return std::nullopt;
  NominalRows rows;
  rows.name = name;
  rows.side = name.starts_with(keys) ? Side::key : Side::value;
  name.remove_prefix(keys.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), rows.layer);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return rows;
}

HostedFormat choose_format(const NominalRows& nominal, const std::optional<Precision>& chosen) {
  const auto as_it_is = [](std::string why) { return HostedFormat{{}, {}, {}, std::move(why)}; };
  if (nominal.n_channels % head_dim_unit != 0) {
    return as_it_is("rows of " + std::to_string(nominal.n_channels) +
                    " numbers, no multiple of 32");
  }
  if (nominal.quantised() && nominal.bits() == 0)
    return as_it_is("a cache of type " + nominal.type);
  HostedFormat format;
  Precision precision = precision_for(nominal, chosen, format.note);
  format.precision = precision;
  const auto rows_if = [&](bool host_rotates) {
    return plan_format(precision, nominal.layer, nominal.side, nominal.n_channels, host_rotates);
  };
  format.rows = rows_if(nominal.host_rotates());
  if (nominal.host_rotates()) format.rows_unless_rotated = rows_if(false);
  // A row of bf16 has no place that tells it from one of f16.
  if (nominal.type == "bf16" && format.rows->group_bits.front() == 16) {
    return as_it_is("bf16 has 16 bits itself");
  }
  const auto mark_for = [&](const RowFormat& rows) {
    return RowImage::mark_for(rows, nominal.row_bytes);
  };
  if (format.rows->n_slots() > 0 && mark_for(*format.rows) != RowImage::Mark::trailer) {
    precision.sinks = precision.window = 0;
    format.rows = rows_if(nominal.host_rotates());
    format.note = "rows too short for exact ones";
  }
  if (PackedTensor::bytes(*format.rows, nominal.cells) > nominal.bytes()) {
    return as_it_is(std::to_string(nominal.cells.kv_size) + " cells need less unpacked");
  }
  for (std::optional<RowFormat>* const rows : {&format.rows, &format.rows_unless_rotated}) {
    if (*rows) (*rows)->even_scales = mark_for(**rows) == RowImage::Mark::scales;
  }
  return format;
}

std::size_t bytes_needed(const NominalRows& nominal, const std::optional<Precision>& chosen) {
  const std::optional<RowFormat> rows = choose_format(nominal, chosen).rows;
  if (!rows || nominal.quantised()) return nominal.bytes();
  return PackedTensor::bytes(*rows, nominal.cells);
}

}  // namespace kvsplit
