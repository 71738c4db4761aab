#include "core/handle-table.h"

#include <algorithm>
#include <utility>

namespace trimkv {
namespace {

constexpr int kIndexBits = 20;
constexpr uint32_t kMaxSlots = 1U << kIndexBits;
constexpr uint32_t kLastGeneration = (1U << 12) - 1;

uint32_t index_of(Handle handle) { return handle & (kMaxSlots - 1); }
uint32_t generation_of(Handle handle) { return handle >> kIndexBits; }

}  // namespace

Status HandleTable::add_tensor(const Storage::Ptr& storage, const Layout& layout, Handle& out) {
  int64_t span = 0, end = 0;
  if (Status status = span_bytes(layout, span); !status.ok()) return status;
  TRIMKV_REQUIRE(layout.offset_bytes >= 0 && !__builtin_add_overflow(layout.offset_bytes, span, &end) &&
                     end <= storage->bytes(),
                 kShape, "the tensor reaches from byte %lld to byte %lld of a storage of %lld bytes",
                 static_cast<long long>(layout.offset_bytes), static_cast<long long>(end),
                 static_cast<long long>(storage->bytes()));
  View view{};
  view.data = storage->data() + layout.offset_bytes;
  view.dtype = layout.dtype;
  view.rank = layout.rank;
  std::copy_n(layout.shape, kMaxRank, view.shape);
  std::copy_n(layout.stride, kMaxRank, view.stride);
  view.writable = storage->writable();
  view.present = true;
  return add({storage, view}, out);
}

Status HandleTable::add_mapping(const Storage::Ptr& storage, Handle& out) { return add({storage, View{}}, out); }

Status HandleTable::add(Entry entry, Handle& out) {
  uint32_t index;
  if (!free_.empty()) {
    index = free_.front();
    free_.pop_front();
  } else {
    TRIMKV_REQUIRE(slots_.size() < kMaxSlots, kOutOfMemory, "a device holds at most %u tensors", kMaxSlots);
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  live_tensors_ += entry.view.present;
  slots_[index].entry = std::move(entry);
  out = slots_[index].generation << kIndexBits | index;
  return {};
}

const HandleTable::Entry* HandleTable::find(Handle handle) const {
  const uint32_t index = index_of(handle);
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.generation == generation_of(handle) && slot.entry.storage ? &slot.entry : nullptr;
}

const HandleTable::Entry* HandleTable::find_tensor(Handle handle) const {
  const Entry* entry = find(handle);
  return entry != nullptr && entry->view.present ? entry : nullptr;
}

bool HandleTable::remove(Handle handle) {
  if (find(handle) == nullptr) return false;
  const uint32_t index = index_of(handle);
  Slot& slot = slots_[index];
  live_tensors_ -= slot.entry.view.present;
  slot.entry = {};
  slot.generation = slot.generation == kLastGeneration ? 1 : slot.generation + 1;
  free_.push_back(index);
  return true;
}

}  // namespace trimkv
