// Streams, events, memory and backward threads of a device, through libtorch's device-generic interfaces: nothing of the
// CUDA toolkit is needed to build this, and the same object file serves a libtorch with CUDA and one without. Devices are
// given by the number N of cuda:N, streams by libtorch's stream id.

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/engine.h>

#include "shim.h"

namespace {

c10::Device device(int index) { return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index)); }

c10::impl::VirtualGuardImpl guard() { return c10::impl::VirtualGuardImpl(c10::kCUDA); }

c10::Stream stream(int index, int64_t id) { return c10::Stream(c10::Stream::UNSAFE, device(index), id); }

// A backward engine with threads of its own.
//
// libtorch has one thread a device for backward work, and starts it for the first engine that executes anything: the flag
// is a static of Engine::initialize_device_threads_pool. So the process's own engine must have got its threads before
// another is made, which then starts its own by itself. Ending: stop() waits for these threads, as it does in libtorch.
class WorkerEngine final : public torch::autograd::Engine {
 public:
  WorkerEngine() {
    get_default_engine().initialize_device_threads_pool();
    start_device_threads();
  }
  ~WorkerEngine() override { stop(); }
};

// The host waits until the stream's work is done. By an event: libtorch takes waiting for a stream for an accident where it
// has been told to (dtrp_on_synchronize), and this is none.
void wait_for(const c10::Stream& stream) {
  c10::Event end(c10::kCUDA);
  end.record(stream);
  end.synchronize();
}

}  // namespace

extern "C" {

// A stream from libtorch's pool. Source: c10/core/impl/VirtualGuardImpl.h, getStreamFromGlobalPool.
char* dtrp_stream_from_pool(int index, int64_t* id) {
  return guarded([&] { *id = guard().getStreamFromGlobalPool(device(index)).id(); });
}

// Makes the calling thread use a stream, and its device; tells what it used before. Source: VirtualGuardImpl.h.
char* dtrp_stream_exchange(int index, int64_t id, int64_t* before) {
  return guarded([&] {
    guard().setDevice(device(index));
    *before = guard().exchangeStream(stream(index, id)).id();
  });
}

// The stream that the calling thread uses on the device, as the device's own library knows it (a cudaStream_t).
// Source: VirtualGuardImpl.h, getStreamNativeHandle.
char* dtrp_stream_native(int index, void** native) {
  return guarded([&] { *native = guard().getStreamNativeHandle(guard().getStream(device(index))); });
}

// The host waits until the stream's work is done. Source: c10/core/Event.h.
char* dtrp_stream_synchronize(int index, int64_t id) {
  return guarded([&] { wait_for(stream(index, id)); });
}

// The host waits for the stream that work goes to where nobody chose another. Source: VirtualGuardImpl.h.
char* dtrp_default_stream_synchronize(int index) {
  return guarded([&] { wait_for(guard().getDefaultStream(device(index))); });
}

// An event after all work that the calling thread has given to its stream so far. Source: c10/core/Event.h.
char* dtrp_event_record(int index, c10::Event** event) {
  return guarded([&] {
    auto made = std::make_unique<c10::Event>(c10::kCUDA);
    made->record(guard().getStream(device(index)));
    *event = made.release();
  });
}

// The calling thread's stream on the device goes on when the event has happened; the host does not wait.
char* dtrp_event_block(const c10::Event* event, int index) {
  return guarded([&] { event->block(guard().getStream(device(index))); });
}

// Whether the event has happened.
char* dtrp_event_query(const c10::Event* event, int* happened) {
  return guarded([&] { *happened = event->query() ? 1 : 0; });
}

// The host waits for the event.
char* dtrp_event_synchronize(const c10::Event* event) {
  return guarded([&] { event->synchronize(); });
}

void dtrp_event_free(c10::Event* event) { delete event; }

// Tells the caching allocator that the calling thread's stream uses the tensor: its memory is not handed out again before
// that stream is done with it, whoever drops it. Source: VirtualGuardImpl.h, recordDataPtrOnStream.
char* dtrp_record_stream(const at::Tensor* tensor) {
  return guarded([&] {
    guard().recordDataPtrOnStream(tensor->storage().data_ptr(), guard().getStream(tensor->device()));
  });
}

// Starts a copy of the tensor, as doubles if asked for, into pinned host memory; an event tells when it is there.
// Source: aten/src/ATen/native/Copy.cpp, copy_ with non_blocking.
char* dtrp_host_copy(const at::Tensor* tensor, int as_double, at::Tensor** host) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    auto source = (as_double != 0 ? tensor->detach().to(at::kDouble) : tensor->detach()).contiguous();
    auto pinned = at::empty(source.sizes(), source.options().device(at::kCPU).pinned_memory(true));
    pinned.copy_(source, /*non_blocking=*/true);
    *host = new at::Tensor(pinned);
  });
}

// The tensor in pinned host memory, from where it can be uploaded without the host waiting. `index` is the device that it
// will go to. Source: aten/src/ATen/native/Memory.cpp, pin_memory.
char* dtrp_pin(const at::Tensor* tensor, at::Tensor** pinned) {
  return guarded([&] { *pinned = new at::Tensor(tensor->pin_memory()); });
}

// The tensor on the device, copied on the calling thread's streams; the host does not wait if the tensor is pinned or on a
// device already. Source: aten/src/ATen/native/TensorConversions.cpp, to.
char* dtrp_to_device(const at::Tensor* tensor, int index, at::Tensor** copy) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    *copy = new at::Tensor(tensor->detach().to(device(index), tensor->scalar_type(), /*non_blocking=*/true));
  });
}

// A backward engine with threads of its own on every device. Source: torch/csrc/autograd/engine.h.
char* dtrp_engine_new(torch::autograd::Engine** engine) {
  return guarded([&] { *engine = new WorkerEngine(); });
}

void dtrp_engine_free(torch::autograd::Engine* engine) { delete engine; }

// Bytes that tensors hold now and held at most, and that libtorch has from the driver.
// Source: c10/core/CachingDeviceAllocator.h, DeviceAllocator::getDeviceStats.
char* dtrp_device_memory(int index, int64_t* allocated, int64_t* peak, int64_t* reserved) {
  return guarded([&] {
    auto stats = c10::getDeviceAllocator(c10::kCUDA)->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *allocated = stats.allocated_bytes[all].current;
    *peak = stats.allocated_bytes[all].peak;
    *reserved = stats.reserved_bytes[all].current;
  });
}

// Bytes of a GPU that nobody has, and all of its bytes. Source: c10/core/CachingDeviceAllocator.h, getMemoryInfo.
char* dtrp_device_room(int index, int64_t* free, int64_t* total) {
  return guarded([&] {
    auto room = c10::getDeviceAllocator(c10::kCUDA)->getMemoryInfo(static_cast<c10::DeviceIndex>(index));
    *free = static_cast<int64_t>(room.first);
    *total = static_cast<int64_t>(room.second);
  });
}

// Makes the GPUs ready for use; says why not. Source: aten/src/ATen/Context.h, lazyInitDevice.
char* dtrp_initialise_gpus() {
  return guarded([&] { at::globalContext().lazyInitDevice(c10::kCUDA); });
}

// Whether matrix products and convolutions of f32 tensors may round their inputs to 10 bits of mantissa (TF32); for the
// whole process. Source: aten/src/ATen/Context.h.
char* dtrp_allow_tf32(int allow) {
  return guarded([&] {
    at::globalContext().setAllowTF32CuBLAS(allow != 0);
    at::globalContext().setAllowTF32CuDNN(allow != 0);
  });
}

// Turns autocast to bf16 on or off in the calling thread, for tensors on CPUs (cuda = 0) or GPUs, without the cache of
// weights: each weight is used once in a pass, and a cached one would outlive the next update.
// Source: aten/src/ATen/autocast_mode.h.
char* dtrp_autocast(int cuda, int on) {
  return guarded([&] {
    auto type = cuda != 0 ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_dtype(type, at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(on == 0);
    at::autocast::set_autocast_enabled(type, on != 0);
  });
}

// What libtorch does where an operator makes the host wait for a device: 0 nothing, 1 warns, 2 fails. False if this
// libtorch has no such switch. Its setter is inline and needs CUDA's headers, so its variable is looked up: one enumeration.
// Source: c10/cuda/CUDAFunctions.h, WarningState.
int dtrp_on_synchronize(int level) {
  auto* state = static_cast<int*>(dlsym(RTLD_DEFAULT, "_ZZN4c104cuda13warning_stateEvE14warning_state_"));
  if (state == nullptr) return 0;
  *state = level;
  return 1;
}

}  // extern "C"
