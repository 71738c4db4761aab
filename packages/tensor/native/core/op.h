#pragma once
#include <atomic>
#include <cstdint>

#include "core/pool.h"
#include "core/status.h"
#include "core/view.h"

namespace trimkv {

// One command: the op's tensors in the order of its TypeScript slots, then its outputs, then its scalars.
struct Call {
  const View* tensors;
  int32_t tensor_count;
  const double* scalars;
  int32_t scalar_count;
  Pool* pool;
  char* workspace;  // 64-byte aligned, at least workspace_bytes(call); contents undefined
};

// `check` sees shapes and scalars only and runs once when a program is recorded (or before an eager call);
// it must reject everything that could make `run` read or write outside its views.
// `run` re-checks what depends on data (ids, counts, slots) and returns a status; it never allocates or throws.
using CheckFn = Status (*)(const Call&);
using WorkspaceFn = int64_t (*)(const Call&);
using RunFn = Status (*)(const Call&);

struct OpEntry {
  const char* name;
  int32_t tensor_count;  // inputs + outputs
  int32_t scalar_count;
  CheckFn check;
  WorkspaceFn workspace;  // null when none is needed
  RunFn run;
};

enum class Isa : int32_t { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };

// Adds an op to the table of one instruction set. Called from static initialisers only.
bool register_op(Isa isa, const OpEntry& entry);

}  // namespace trimkv

// Kernel sources are compiled once per instruction set with TRIMKV_ISA = baseline | avx2 | avx512 and
// TRIMKV_ISA_ENUM = the matching Isa; all their code lives in `namespace trimkv::TRIMKV_ISA { namespace { … } }`.
#define TRIMKV_OP(...) \
  [[maybe_unused]] static const bool registered = ::trimkv::register_op(::trimkv::Isa::TRIMKV_ISA_ENUM, ::trimkv::OpEntry{__VA_ARGS__});
