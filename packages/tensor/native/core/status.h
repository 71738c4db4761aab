#pragma once
#include <cstdint>
#include <cstdio>

// Everything a kernel file includes must have internal linkage (`static inline`): the same file is compiled once per
// instruction set, and the linker must never pick an AVX-512 copy of a shared function for a baseline caller.
namespace trimkv {

// Order is the wire format: src/native-error.ts maps these to error codes.
enum class Code : int32_t {
  kOk = 0,
  kShape = 1,
  kDtype = 2,
  kHandle = 3,
  kOption = 4,
  kTokenRange = 5,
  kOutOfMemory = 6,
  kAborted = 7,
  kUnsupported = 8,
  kInvariant = 9,
  kFormat = 10,
  kCallback = 11,
  kNotFound = 12,
};

struct Status {
  Code code = Code::kOk;
  char text[240] = {0};
  bool ok() const { return code == Code::kOk; }
};

template <typename... Args>
static inline Status error(Code code, const char* format, Args... args) {
  Status status;
  status.code = code;
  std::snprintf(status.text, sizeof(status.text), format, args...);
  return status;
}
static inline Status error(Code code, const char* text) { return error(code, "%s", text); }

}  // namespace trimkv

#define TRIMKV_REQUIRE(condition, code, ...) \
  do {                                       \
    if (!(condition)) return ::trimkv::error(::trimkv::Code::code, __VA_ARGS__); \
  } while (0)
