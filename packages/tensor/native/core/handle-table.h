#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "core/extent.h"
#include "core/storage.h"
#include "core/view.h"

namespace trimkv {

// 20 bits of index, 12 bits of generation; never 0, which stands for an absent tensor.
using Handle = uint32_t;

// What handles stand for. Used by one thread only; commands hold views and storages, never handles.
class HandleTable {
 public:
  struct Entry {
    Storage::Ptr storage;
    View view;  // present only for tensors: a file mapping is a storage without a view
  };

  // A tensor on a storage. Fails unless every element of the layout lies inside the storage.
  Status add_tensor(const Storage::Ptr& storage, const Layout& layout, Handle& out);
  Status add_mapping(const Storage::Ptr& storage, Handle& out);

  // Null when the handle is stale, foreign or made up.
  const Entry* find(Handle handle) const;
  // The same for tensors only.
  const Entry* find_tensor(Handle handle) const;
  // False when there is nothing to remove.
  bool remove(Handle handle);

  int64_t live_tensors() const { return live_tensors_; }

 private:
  struct Slot {
    Entry entry;
    uint32_t generation = 1;
  };
  Status add(Entry entry, Handle& out);

  std::vector<Slot> slots_;
  // Reused first in, first out, so that a stale handle stays recognisable for as long as possible.
  std::deque<uint32_t> free_;
  int64_t live_tensors_ = 0;
};

}  // namespace trimkv
