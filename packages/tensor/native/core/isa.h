#pragma once
#include "core/op.h"

namespace trimkv {

// Whether this processor and operating system can run code of the instruction set.
bool isa_supported(Isa isa);

}  // namespace trimkv
