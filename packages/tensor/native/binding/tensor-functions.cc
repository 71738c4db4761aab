#include <mutex>
#include <string>

#include "binding/addon.h"
#include "binding/args.h"
#include "core/elements.h"
#include "core/quantised.h"

namespace trimkv {
namespace {

enum class Source : uint32_t { kEmpty = 0, kZeros = 1, kReserved = 2, kSlab = 3 };

Status find_tensor(const DeviceState& state, const Napi::CallbackInfo& info, size_t i, const HandleTable::Entry*& out) {
  const uint32_t handle = arg_u32(info, i);
  out = state.device->handles().find_tensor(handle);
  TRIMKV_REQUIRE(out != nullptr, kHandle, "the tensor (handle %u) does not exist or was disposed", handle);
  return {};
}

Status allocate(Device& device, Source source, int64_t bytes, Storage::Ptr& out) {
  switch (source) {
    case Source::kEmpty:
    case Source::kZeros:
      return Storage::heap(bytes, source == Source::kZeros, device.usage(), out);
    case Source::kReserved:
      return Storage::reserved(bytes, device.usage(), out);
    case Source::kSlab:
      return Storage::slab(bytes, device.usage(), out);
  }
  return error(Code::kInvariant, "no kind of storage has the number %u", static_cast<uint32_t>(source));
}

// tensorCreate(device, source, dtype, rank, layout: [sizes…]) → handle
Status tensor_create(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  Layout layout{};
  int64_t bytes = 0;
  Storage::Ptr storage;
  Handle handle = 0;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = arg_dtype(info, 2, layout.dtype); !s.ok()) return s;
  if (Status s = arg_layout(info, 3, false, layout); !s.ok()) return s;
  if (Status s = span_bytes(layout, bytes); !s.ok()) return s;
  if (Status s = allocate(*state->device, static_cast<Source>(arg_u32(info, 1)), bytes, storage); !s.ok()) return s;
  if (Status s = state->device->handles().add_tensor(storage, layout, handle); !s.ok()) return s;
  state->report_memory(addon.env());
  result = Napi::Number::New(addon.env(), handle);
  return {};
}

// tensorView(device, base, offset in elements, rank, layout: [sizes…, strides…]) → handle
Status tensor_view(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  const HandleTable::Entry* base = nullptr;
  Layout layout{};
  Handle handle = 0;
  int64_t offset = 0;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = find_tensor(*state, info, 1, base); !s.ok()) return s;
  if (Status s = arg_int64(info, 2, offset); !s.ok()) return s;
  if (Status s = arg_layout(info, 3, true, layout); !s.ok()) return s;
  layout.dtype = base->view.dtype;
  const int64_t base_offset = static_cast<char*>(base->view.data) - base->storage->data();
  // Two elements share a byte at most. What is left to check, and cannot overflow any more, is checked with the layout.
  const int64_t bytes_before = is_quantised(layout.dtype) ? offset / 2 : offset;
  TRIMKV_REQUIRE(bytes_before <= base->storage->bytes(), kShape, "the view starts outside its storage");
  if (is_quantised(layout.dtype)) {
    const int64_t panel = kQuantRows * layout.shape[1];
    TRIMKV_REQUIRE(layout.rank == 2 && panel > 0 && offset % panel == 0, kShape,
                   "rows of a quantised tensor are taken from a multiple of %d on", kQuantRows);
    layout.offset_bytes = base_offset + quantised_row_offset(layout.dtype, offset / layout.shape[1], layout.shape[1]);
  } else {
    layout.offset_bytes = base_offset + offset * dtype_bytes(layout.dtype);
  }
  const Storage::Ptr storage = base->storage;
  if (Status s = state->device->handles().add_tensor(storage, layout, handle); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), handle);
  return {};
}

// tensorPlace(device, storage: handle of a mapping or tensor, dtype, offset in bytes, rank, layout: [sizes…]) → handle
Status tensor_place(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  Layout layout{};
  Handle handle = 0;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  const HandleTable::Entry* base = state->device->handles().find(arg_u32(info, 1));
  TRIMKV_REQUIRE(base != nullptr, kHandle, "the storage does not exist or was disposed");
  if (Status s = arg_dtype(info, 2, layout.dtype); !s.ok()) return s;
  if (Status s = arg_int64(info, 3, layout.offset_bytes); !s.ok()) return s;
  if (Status s = arg_layout(info, 4, false, layout); !s.ok()) return s;
  const Storage::Ptr storage = base->storage;
  if (Status s = state->device->handles().add_tensor(storage, layout, handle); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), handle);
  return {};
}

// handleFree(device, handle) → whether there was something to free
Status handle_free(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  result = Napi::Boolean::New(addon.env(), state->device->handles().remove(arg_u32(info, 1)));
  state->report_memory(addon.env());
  return {};
}

// What tensorRead and tensorWrite share: the view and an array of the right type and length.
template <typename T>
Status transfer(Addon& addon, const Napi::CallbackInfo& info, void (*copy)(const View&, T*), napi_typedarray_type type) {
  DeviceState* state = nullptr;
  const HandleTable::Entry* tensor = nullptr;
  const T* data = nullptr;
  int64_t length = 0;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = find_tensor(*state, info, 1, tensor); !s.ok()) return s;
  if (Status s = arg_array(info, 2, type, data, length); !s.ok()) return s;
  const int64_t count = element_count(tensor->view);
  TRIMKV_REQUIRE(length == count, kShape, "the tensor has %lld elements, the array %lld",
                 static_cast<long long>(count), static_cast<long long>(length));
  std::lock_guard guard(state->device->turn());
  copy(tensor->view, const_cast<T*>(data));
  return {};
}

// tensorRead(device, handle, into: Float32Array | Int32Array)
Status tensor_read(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  DeviceState* state = nullptr;
  const HandleTable::Entry* tensor = nullptr;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = find_tensor(*state, info, 1, tensor); !s.ok()) return s;
  if (tensor->view.dtype == DType::kI32) return transfer<int32_t>(addon, info, read_i32, napi_int32_array);
  return transfer<float>(addon, info, read_f32, napi_float32_array);
}

// tensorWrite(device, handle, values: Float32Array | Int32Array)
Status tensor_write(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  DeviceState* state = nullptr;
  const HandleTable::Entry* tensor = nullptr;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = find_tensor(*state, info, 1, tensor); !s.ok()) return s;
  TRIMKV_REQUIRE(tensor->view.writable, kHandle, "the tensor is read-only");
  TRIMKV_REQUIRE(!is_quantised(tensor->view.dtype), kDtype, "a quantised tensor is made whole and never overwritten");
  const auto write_i = [](const View& to, int32_t* from) { write_i32(to, from); };
  const auto write_f = [](const View& to, float* from) { write_f32(to, from); };
  if (tensor->view.dtype == DType::kI32) return transfer<int32_t>(addon, info, write_i, napi_int32_array);
  return transfer<float>(addon, info, write_f, napi_float32_array);
}

// mapFile(device, path, expected bytes) → handle of the mapping
Status map_file(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  int64_t bytes = 0;
  Storage::Ptr storage;
  Handle handle = 0;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = arg_int64(info, 2, bytes); !s.ok()) return s;
  const std::string path = info[1].As<Napi::String>().Utf8Value();
  if (Status s = Storage::mapped(path.c_str(), bytes, storage); !s.ok()) return s;
  if (Status s = state->device->handles().add_mapping(storage, handle); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), handle);
  return {};
}

// submit(device, words, scalars): decodes, validates and runs at once
Status submit(Addon& addon, const Napi::CallbackInfo& info, Napi::Value&) {
  DeviceState* state = nullptr;
  CommandBuffer buffer{};
  if (Status s = addon.device(info, state); !s.ok()) return s;
  if (Status s = arg_commands(info, 1, buffer); !s.ok()) return s;
  return state->device->submit(buffer);
}

// liveTensors(device) → number
Status live_tensors(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), static_cast<double>(state->device->handles().live_tensors()));
  return {};
}

// usedBytes(device) → number
Status used_bytes(Addon& addon, const Napi::CallbackInfo& info, Napi::Value& result) {
  DeviceState* state = nullptr;
  if (Status s = addon.device(info, state); !s.ok()) return s;
  result = Napi::Number::New(addon.env(), static_cast<double>(state->device->usage()->bytes.load()));
  return {};
}

}  // namespace

void define_tensor_functions(Napi::Object exports, Addon& addon) {
  define<tensor_create>(exports, "tensorCreate", addon);
  define<tensor_view>(exports, "tensorView", addon);
  define<tensor_place>(exports, "tensorPlace", addon);
  define<tensor_read>(exports, "tensorRead", addon);
  define<tensor_write>(exports, "tensorWrite", addon);
  define<handle_free>(exports, "handleFree", addon);
  define<map_file>(exports, "mapFile", addon);
  define<submit>(exports, "submit", addon);
  define<live_tensors>(exports, "liveTensors", addon);
  define<used_bytes>(exports, "usedBytes", addon);
}

}  // namespace trimkv
