#include "core/storage.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace trimkv {
namespace {

constexpr int64_t kAlign = 64;
// An empty storage still has an address; a size near the top of the range must not wrap when it is rounded up.
constexpr int64_t kMaxBytes = int64_t{1} << 46;

// In a virtual machine, finding a small page costs as much as reading some of it; large ones are found at once.
constexpr int64_t kLargePage = int64_t{2} << 20;

// Asks for large pages where the system has them. Without them everything works as well, only slower.
void advise_large_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(MADV_HUGEPAGE)
  madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
}

size_t allocated(int64_t bytes) { return static_cast<size_t>((bytes < kAlign ? kAlign : bytes + kAlign - 1) & ~(kAlign - 1)); }

Status out_of_memory(int64_t bytes) {
  return error(Code::kOutOfMemory, "no memory for %lld bytes", static_cast<long long>(bytes));
}

class File {
 public:
  explicit File(const char* path) : fd_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Status file_error(const char* path) {
  return error(errno == ENOENT ? Code::kNotFound : Code::kFormat, "cannot map %s: %s", path, std::strerror(errno));
}

}  // namespace

Storage::Storage(Kind kind, char* data, int64_t bytes, std::shared_ptr<Usage> usage)
    : kind_(kind), data_(data), bytes_(bytes), usage_(std::move(usage)) {
  if (usage_) count(bytes_);
}

Storage::~Storage() {
  if (usage_) count(-bytes_);
  if (kind_ == Kind::kHeap || kind_ == Kind::kSlab) {
    std::free(data_);
  } else if (data_ != nullptr) {
    munmap(data_, kind_ == Kind::kReserved ? allocated(bytes_) : static_cast<size_t>(bytes_));
  }
}

void Storage::count(int64_t bytes) {
  usage_->bytes += bytes;
  if (kind_ == Kind::kHeap) usage_->collectable_bytes += bytes;
}

Status Storage::allocate(Kind kind, int64_t bytes, std::shared_ptr<Usage> usage, Ptr& out) {
  if (bytes > kMaxBytes) return out_of_memory(bytes);
  const bool large = bytes >= 4 * kLargePage;
  void* data = std::aligned_alloc(static_cast<size_t>(large ? kLargePage : kAlign), allocated(bytes));
  if (data == nullptr) return out_of_memory(bytes);
  if (large) advise_large_pages(data, bytes / kLargePage * kLargePage);
  out.reset(new Storage(kind, static_cast<char*>(data), bytes, std::move(usage)));
  return {};
}

Status Storage::heap(int64_t bytes, bool zeroed, std::shared_ptr<Usage> usage, Ptr& out) {
  Status status = allocate(Kind::kHeap, bytes, std::move(usage), out);
  if (status.ok() && zeroed) std::memset(out->data(), 0, static_cast<size_t>(bytes));
  return status;
}

Status Storage::slab(int64_t bytes, std::shared_ptr<Usage> usage, Ptr& out) {
  return allocate(Kind::kSlab, bytes, std::move(usage), out);
}

Status Storage::reserved(int64_t bytes, std::shared_ptr<Usage> usage, Ptr& out) {
  if (bytes > kMaxBytes) return out_of_memory(bytes);
  void* data = mmap(nullptr, allocated(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return out_of_memory(bytes);
#if defined(MADV_NOHUGEPAGE)
  // A table that is filled here and there would otherwise take two megabytes for every slot.
  madvise(data, allocated(bytes), MADV_NOHUGEPAGE);
#endif
  out.reset(new Storage(Kind::kReserved, static_cast<char*>(data), bytes, std::move(usage)));
  return {};
}

Status Storage::mapped(const char* path, int64_t expected_bytes, Ptr& out) {
  const File file(path);
  struct stat info;
  if (file.fd() < 0 || fstat(file.fd(), &info) != 0) return file_error(path);
  // A mapping beyond the end of the file would kill the process at the first read there.
  TRIMKV_REQUIRE(info.st_size == expected_bytes, kFormat, "%s has %lld bytes, expected %lld", path,
                 static_cast<long long>(info.st_size), static_cast<long long>(expected_bytes));
  void* data = nullptr;
  if (expected_bytes > 0) {
    data = mmap(nullptr, static_cast<size_t>(expected_bytes), PROT_READ, MAP_SHARED, file.fd(), 0);
    if (data == MAP_FAILED) return file_error(path);
    // Parts of the file that are not in memory yet are read in such pages; the others stay as they are.
    advise_large_pages(data, expected_bytes);
    madvise(data, static_cast<size_t>(expected_bytes), MADV_WILLNEED);
  }
  out.reset(new Storage(Kind::kMapped, static_cast<char*>(data), expected_bytes, nullptr));
  return {};
}

}  // namespace trimkv
