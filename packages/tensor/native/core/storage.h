#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "core/status.h"

namespace trimkv {

// Bytes held by a device's tensors and programs. Shared with the storages, which may outlive the device.
struct Usage {
  std::atomic<int64_t> bytes{0};
  // The part of it that JavaScript's garbage collector can free: single tensors, not slabs or reservations.
  std::atomic<int64_t> collectable_bytes{0};
};

// A block of memory, released with its last owner.
class Storage {
 public:
  using Ptr = std::shared_ptr<Storage>;

  // 64-byte aligned memory, undefined contents or zeros.
  static Status heap(int64_t bytes, bool zeroed, std::shared_ptr<Usage> usage, Ptr& out);
  // The same without contents, for the tensors of a program.
  static Status slab(int64_t bytes, std::shared_ptr<Usage> usage, Ptr& out);
  // Zero pages that the system commits when they are first written.
  static Status reserved(int64_t bytes, std::shared_ptr<Usage> usage, Ptr& out);
  // A whole file, read-only and shared with its other readers. Not counted as used memory.
  static Status mapped(const char* path, int64_t expected_bytes, Ptr& out);

  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  char* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  bool writable() const { return kind_ != Kind::kMapped; }

 private:
  enum class Kind { kHeap, kSlab, kReserved, kMapped };
  static Status allocate(Kind kind, int64_t bytes, std::shared_ptr<Usage> usage, Ptr& out);
  Storage(Kind kind, char* data, int64_t bytes, std::shared_ptr<Usage> usage);
  void count(int64_t bytes);

  Kind kind_;
  char* data_;
  int64_t bytes_;
  std::shared_ptr<Usage> usage_;
};

}  // namespace trimkv
