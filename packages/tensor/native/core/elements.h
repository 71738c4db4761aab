#pragma once
#include "core/view.h"

namespace trimkv {

// Copies between a view of any strides and row-major arrays; bf16 and f16 are widened and rounded to nearest even.
void read_f32(const View& from, float* to);
void write_f32(const View& to, const float* from);
// The same for i32 views.
void read_i32(const View& from, int32_t* to);
void write_i32(const View& to, const int32_t* from);

}  // namespace trimkv
