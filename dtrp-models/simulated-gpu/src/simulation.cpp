// GPUs that are simulated on the host; see lib.rs for what is checked. Registered where libtorch for CUDA registers its own:
// a device guard, the hooks, allocators, and one kernel for all operators of the backend CUDA.

#include <ATen/ATen.h>
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <pthread.h>
#include <torch/csrc/autograd/function.h>
#include <torch/library.h>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

constexpr int kGpus = 2;
constexpr int kPool = 32;
constexpr size_t kMostRaces = 100;
// So many operators of its stream must follow an event before the host sees it happen without waiting.
constexpr uint64_t kLateness = 300;

// ---- Happens-before ------------------------------------------------------------------------------------------------

using Key = int64_t;  // A stream: its id, with the GPU in the upper half.
using Clock = std::map<Key, uint64_t>;

Key key(c10::Stream s) { return (static_cast<Key>(s.device_index()) << 32) | s.id(); }

void merge(Clock& into, const Clock& from) {
  for (auto [k, t] : from) into[k] = std::max(into[k], t);
}

struct Event {
  Clock clock;
  Key stream;
  uint64_t time;
};

struct Block {
  size_t bytes;
  int gpu;
  Key home;  // The stream that it was allocated on, and will be used on next.
  Key writer;
  uint64_t written;
  std::string written_by;
  std::map<Key, std::pair<uint64_t, std::string>> reads;
  std::set<Key> recorded;
};

struct LateCopy {
  Key stream;
  uint64_t time;
  at::Tensor to, from;
};

struct World {
  std::recursive_mutex mutex;
  std::map<Key, Clock> streams;
  Clock host;
  std::map<char*, Block> blocks;
  std::vector<LateCopy> late;
  std::vector<std::string> races;
  std::set<const void*> pinned;
  std::set<pthread_t> backward;
  int64_t bytes[kGpus] = {}, peak[kGpus] = {};
  uint64_t hidden = 0, stream_waits = 0, event_waits = 0;

  static World& get() {
    static auto* world = new World();  // Tensors may outlive any other order of destruction.
    return *world;
  }

  uint64_t now(Key s) { return streams[s][s]; }

  bool before(Key s, uint64_t t, const Clock& clock) {
    auto seen = [&](const Clock& c) {
      auto at = c.find(s);
      return at != c.end() && t <= at->second;
    };
    return seen(clock) || seen(host);
  }

  void race(const std::string& text) {
    if (races.size() < kMostRaces) races.push_back(text);
  }

  // The host knows that everything up to `clock` is done: late copies arrive.
  void host_sees(const Clock& clock) {
    merge(host, clock);
    for (auto& copy : late) {
      if (copy.to.defined() && copy.time <= host[copy.stream]) {
        std::memcpy(copy.to.data_ptr(), copy.from.data_ptr(), copy.to.nbytes());
        copy.to.reset();
      }
    }
    late.erase(std::remove_if(late.begin(), late.end(), [](auto& copy) { return !copy.to.defined(); }), late.end());
  }

  void access(Key s, void* pointer, bool write, const std::string& op) {
    auto at = blocks.upper_bound(static_cast<char*>(pointer));
    if (at == blocks.begin()) return;
    --at;
    Block& block = at->second;
    if (static_cast<char*>(pointer) >= at->first + block.bytes) return;
    const Clock& clock = streams[s];
    auto stream = [](Key k) { return "cuda:" + std::to_string(k >> 32) + " stream " + std::to_string(k & 0xffffffff); };
    if (block.writer != s && !before(block.writer, block.written, clock)) {
      race(op + (write ? " writes" : " reads") + " on " + stream(s) + " what " + block.written_by + " may still write on " +
           stream(block.writer));
    }
    if (write) {
      for (auto& [k, read] : block.reads) {
        if (k != s && !before(k, read.first, clock)) {
          race(op + " writes on " + stream(s) + " what " + read.second + " may still read on " + stream(k));
        }
      }
      block.reads.clear();
      block.writer = s;
      block.written = now(s);
      block.written_by = op;
    } else {
      block.reads[s] = {now(s), op};
    }
  }

  void allocated(void* pointer, size_t size, int gpu, Key home, const std::string& op) {
    if (size == 0) return;
    blocks[static_cast<char*>(pointer)] = Block{size, gpu, home, home, now(home), op, {}, {}};
    bytes[gpu] += static_cast<int64_t>(size);
    peak[gpu] = std::max(peak[gpu], bytes[gpu]);
  }

  void freed(void* pointer) {
    auto at = blocks.find(static_cast<char*>(pointer));
    if (at == blocks.end()) return;
    Block& block = at->second;
    auto check = [&](Key k, uint64_t t, const std::string& op) {
      if (k != block.home && block.recorded.count(k) == 0 && !before(k, t, streams[block.home])) {
        race("memory is dropped that " + op + " may still use on a stream that the allocator was not told of");
      }
    };
    check(block.writer, block.written, block.written_by);
    for (auto& [k, read] : block.reads) check(k, read.first, read.second);
    bytes[block.gpu] -= static_cast<int64_t>(block.bytes);
    blocks.erase(at);
  }
};

using Lock = std::lock_guard<std::recursive_mutex>;

// ---- Streams and events --------------------------------------------------------------------------------------------

thread_local int current_gpu = 0;
thread_local int64_t current_stream[kGpus] = {};

c10::Stream stream_of(int gpu) {
  return c10::Stream(c10::Stream::UNSAFE, c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(gpu)), current_stream[gpu]);
}

int index_of(c10::Device d) { return d.has_index() ? d.index() : current_gpu; }

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return c10::kCUDA; }
  c10::Device exchangeDevice(c10::Device d) const override {
    auto before = getDevice();
    current_gpu = index_of(d);
    return before;
  }
  c10::Device getDevice() const override { return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(current_gpu)); }
  void setDevice(c10::Device d) const override { current_gpu = index_of(d); }
  void uncheckedSetDevice(c10::Device d) const noexcept override { current_gpu = index_of(d); }
  c10::Stream getStream(c10::Device d) const override { return stream_of(index_of(d)); }
  c10::Stream getDefaultStream(c10::Device d) const override { return c10::Stream(c10::Stream::DEFAULT, d); }
  c10::Stream getStreamFromGlobalPool(c10::Device d, bool) const override {
    static std::atomic<int64_t> next{0};
    return c10::Stream(c10::Stream::UNSAFE, d, 1 + next++ % kPool);
  }
  c10::Stream exchangeStream(c10::Stream s) const override {
    auto before = stream_of(s.device_index());
    current_stream[s.device_index()] = s.id();
    return before;
  }
  void* getStreamNativeHandle(const c10::Stream s) const override { return reinterpret_cast<void*>(key(s) + 1); }
  c10::DeviceIndex deviceCount() const noexcept override { return kGpus; }
  void record(void** event, const c10::Stream& s, const c10::DeviceIndex, const c10::EventFlag) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    world.streams[key(s)][key(s)]++;
    delete static_cast<Event*>(*event);
    *event = new Event{world.streams[key(s)], key(s), world.now(key(s))};
  }
  void block(void* event, const c10::Stream& s) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    if (event != nullptr) merge(world.streams[key(s)], static_cast<Event*>(event)->clock);
  }
  bool queryEvent(void* event) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    auto* e = static_cast<Event*>(event);
    bool happened = world.now(e->stream) >= e->time + kLateness || world.before(e->stream, e->time, world.host);
    if (happened) world.host_sees(e->clock);
    return happened;
  }
  void synchronizeEvent(void* event) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    world.event_waits++;
    world.host_sees(static_cast<Event*>(event)->clock);
  }
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override { delete static_cast<Event*>(event); }
  bool queryStream(const c10::Stream&) const override { return false; }
  void synchronizeStream(const c10::Stream& s) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    world.stream_waits++;
    world.host_sees(world.streams[key(s)]);
  }
  void recordDataPtrOnStream(const c10::DataPtr& data, const c10::Stream& s) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    auto at = world.blocks.find(static_cast<char*>(data.get()));
    if (at != world.blocks.end()) at->second.recorded.insert(key(s));
  }
};

C10_REGISTER_GUARD_IMPL(CUDA, Guard);

// ---- Memory --------------------------------------------------------------------------------------------------------

void unpin(void* pointer) {
  auto& world = World::get();
  Lock lock(world.mutex);
  world.pinned.erase(pointer);
  std::free(pointer);
}

struct Pinned final : at::HostAllocator {
  at::DataPtr allocate(size_t size) override {
    void* pointer = std::malloc(std::max<size_t>(size, 1));
    auto& world = World::get();
    Lock lock(world.mutex);
    world.pinned.insert(pointer);
    return {pointer, pointer, &unpin, at::Device(at::kCPU)};
  }
  void copy_data(void* to, const void* from, size_t size) const override { std::memcpy(to, from, size); }
  bool record_event(void*, void*, c10::Stream) override { return true; }
  void empty_cache() override {}
  at::HostStats get_stats() override { return {}; }
  void reset_accumulated_stats() override {}
  void reset_peak_stats() override {}
  void begin_allocate_to_pool(c10::MempoolId_t, std::function<bool(c10::Stream)>) override {}
};

// Only tells what is in use: memory comes with the tensors that the CPU's operators make.
struct Device final : c10::DeviceAllocator {
  at::DataPtr allocate(size_t) override { TORCH_CHECK(false, "the simulation allocates in operators only"); }
  void copy_data(void* to, const void* from, size_t size) const override { std::memcpy(to, from, size); }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr& data, c10::Stream s) override { Guard().recordDataPtrOnStream(data, s); }
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex gpu) override {
    auto& world = World::get();
    Lock lock(world.mutex);
    c10::CachingDeviceAllocator::DeviceStats stats;
    stats.allocated_bytes[0].current = world.bytes[gpu];
    stats.allocated_bytes[0].peak = world.peak[gpu];
    stats.reserved_bytes[0].current = world.peak[gpu];
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex gpu) override { World::get().peak[gpu] = World::get().bytes[gpu]; }
};

struct CUDAHooks final : at::CUDAHooksInterface {
  explicit CUDAHooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return kGpus; }
  int getNumGPUs() const override { return kGpus; }
  c10::DeviceIndex current_device() const override { return static_cast<c10::DeviceIndex>(current_gpu); }
  c10::DeviceIndex getCurrentDevice() const override { return static_cast<c10::DeviceIndex>(current_gpu); }
  bool isPinnedPtr(const void* data) const override {
    auto& world = World::get();
    Lock lock(world.mutex);
    return world.pinned.count(data) > 0;
  }
  at::Allocator* getPinnedMemoryAllocator() const override { return at::getHostAllocator(at::kCUDA); }
};

using at::CUDAHooksArgs;
using at::CUDAHooksRegistry;
using at::RegistererCUDAHooksRegistry;
REGISTER_CUDA_HOOKS(CUDAHooks);

const bool registered = [] {
  at::setHostAllocator(at::kCUDA, new Pinned());
  c10::SetAllocator(c10::kCUDA, new Device());
  return true;
}();

// ---- Operators -----------------------------------------------------------------------------------------------------

struct Keeper {
  c10::Storage storage;
};

void drop(void* context) {
  auto* keeper = static_cast<Keeper*>(context);
  {
    auto& world = World::get();
    Lock lock(world.mutex);
    world.freed(keeper->storage.mutable_data());
  }
  delete keeper;
}

void drop_alias(void* context) { delete static_cast<Keeper*>(context); }

// A storage for the memory of another, on another device.
c10::Storage storage_on(c10::Storage of, c10::Device device, void (*deleter)(void*)) {
  auto bytes = of.nbytes();
  void* pointer = of.mutable_data();
  c10::DataPtr data(pointer, new Keeper{std::move(of)}, deleter, device);
  return c10::Storage(c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), bytes, std::move(data),
                                                            /*allocator=*/nullptr, /*resizable=*/false));
}

at::Tensor tensor_on(c10::Storage storage, const at::Tensor& like, c10::DispatchKey backend) {
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(backend), like.dtype());
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  if (like.unsafeGetTensorImpl()->is_wrapped_number()) tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

// One operator: its tensors on GPUs, and the same memory as tensors of the CPU.
struct Call {
  std::string name;
  c10::Device device{c10::kCUDA, 0};
  bool has_device = false;
  std::unordered_map<c10::StorageImpl*, std::pair<c10::Storage, c10::Storage>> storages;  // CPU's: (CPU, GPU)
  std::unordered_map<c10::StorageImpl*, c10::Storage> aliases;                            // GPU's: CPU
  std::vector<std::tuple<at::Tensor, at::Tensor, bool>> arguments;                        // (GPU, CPU, written)

  at::Tensor to_cpu(const at::Tensor& gpu, bool write) {
    if (!gpu.defined() || !gpu.is_cuda()) return gpu;
    if (!has_device) {
      device = gpu.device();
      has_device = true;
    }
    auto* impl = gpu.storage().unsafeGetStorageImpl();
    auto found = aliases.find(impl);
    if (found == aliases.end()) {
      auto alias = storage_on(gpu.storage(), c10::kCPU, &drop_alias);
      storages[alias.unsafeGetStorageImpl()] = {alias, gpu.storage()};
      found = aliases.emplace(impl, alias).first;
    }
    auto cpu = tensor_on(found->second, gpu, c10::DispatchKey::CPU);
    arguments.emplace_back(gpu, cpu, write);
    return cpu;
  }

  at::Tensor to_gpu(const at::Tensor& cpu) {
    if (!cpu.defined()) return cpu;
    for (auto& [gpu, alias, write] : arguments) {
      if (alias.is_same(cpu)) return gpu;
    }
    auto found = storages.find(cpu.storage().unsafeGetStorageImpl());
    if (found != storages.end()) return tensor_on(found->second.second, cpu, c10::DispatchKey::CUDA);
    return tensor_on(fresh(cpu.storage()), cpu, c10::DispatchKey::CUDA);
  }

  c10::Storage fresh(const c10::Storage& storage) {
    auto& world = World::get();
    Lock lock(world.mutex);
    world.allocated(storage.mutable_data(), storage.nbytes(), device.index(), key(stream_of(device.index())), name);
    return storage_on(storage, device, &drop);
  }

  // What ran on the current stream; where the host must wait, it does.
  void happens(bool waits) {
    auto& world = World::get();
    Lock lock(world.mutex);
    int gpu = device.index();
    // A copy between GPUs runs on the stream of the one it comes from, after that of the other and before its further work.
    bool peer = name == "aten::copy_" && arguments.size() == 2 &&
        std::get<0>(arguments[0]).device() != std::get<0>(arguments[1]).device();
    if (peer) gpu = std::get<0>(arguments[1]).device().index();
    Key s = key(stream_of(gpu)), other = key(stream_of(device.index()));
    if (peer) merge(world.streams[s], world.streams[other]);
    world.streams[s][s]++;
    for (auto& [tensor, cpu, write] : arguments) {
      world.access(s, tensor.storage().mutable_data(), write, name);
    }
    if (peer) merge(world.streams[other], world.streams[s]);
    if (waits) {
      world.hidden++;
      world.host_sees(world.streams[s]);
    }
  }
};

const std::set<std::string> kWaiting = {"aten::_local_scalar_dense", "aten::equal", "aten::nonzero", "aten::masked_select"};

// Tensors whose elements an operator does not touch.
bool only_a_view(const c10::FunctionSchema& schema) {
  for (auto& result : schema.returns()) {
    if (result.alias_info() == nullptr || result.alias_info()->isWrite()) return false;
  }
  return !schema.returns().empty();
}

void kernel(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  Call call;
  call.name = schema.name();
  const size_t count = schema.arguments().size(), start = stack->size() - count;
  at::Tensor copied_to, copied_from;
  bool non_blocking = false;
  for (size_t i = 0; i < count; ++i) {
    auto& value = (*stack)[start + i];
    auto* alias = schema.arguments()[i].alias_info();
    bool write = alias != nullptr && alias->isWrite();
    if (value.isTensor()) {
      if (call.name == "aten::copy_") (i == 0 ? copied_to : copied_from) = value.toTensor();
      value = call.to_cpu(value.toTensor(), write);
    } else if (value.isTensorList()) {
      std::vector<at::Tensor> tensors;
      for (const at::Tensor& tensor : value.toTensorVector()) tensors.push_back(call.to_cpu(tensor, write));
      value = tensors;
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> tensors;
      for (const auto& tensor : value.toOptionalTensorVector()) {
        tensors.push_back(tensor ? std::make_optional(call.to_cpu(*tensor, write)) : std::nullopt);
      }
      value = tensors;
    } else if (value.isDevice()) {
      call.device = c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index_of(value.toDevice())));
      call.has_device = true;
      value = c10::Device(c10::kCPU);
    } else if (value.isBool() && schema.arguments()[i].name() == "non_blocking") {
      non_blocking = value.toBool();
    }
  }
  if (!call.has_device) call.device = Guard().getDevice();
  auto& world = World::get();
  auto pinned = [&](const at::Tensor& t) {
    return at::globalContext().getAcceleratorHooksInterface(at::kCUDA).isPinnedPtr(t.storage().data());
  };
  bool waits = kWaiting.count(call.name) > 0;
  bool late = false;
  if (copied_to.defined() && copied_to.is_cuda() != copied_from.is_cuda()) {
    const auto& host = copied_to.is_cuda() ? copied_from : copied_to;
    bool scalar = !copied_from.is_cuda() && copied_from.dim() == 0;
    waits = !scalar && !(non_blocking && pinned(host));
    late = !waits && !copied_to.is_cuda();
  }
  if (torch::autograd::get_current_node() != nullptr) {
    Lock lock(world.mutex);
    world.backward.insert(pthread_self());
  }
  if (!only_a_view(schema)) call.happens(waits);
  if (late) {
    // What arrives is what is there now; until then the host finds nothing.
    auto from = std::get<1>(call.arguments.at(0)).clone();
    TORCH_CHECK(from.dtype() == copied_to.dtype() && copied_to.is_contiguous(), "late copies must be plain");
    copied_to.fill_(std::numeric_limits<double>::quiet_NaN());
    Lock lock(world.mutex);
    Key s = key(stream_of(call.device.index()));
    world.late.push_back({s, world.now(s), copied_to, from.contiguous()});
    stack->resize(start);
    stack->emplace_back(copied_to);
    return;
  }
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  for (auto& [gpu, cpu, write] : call.arguments) {
    if (write && (cpu.sizes() != gpu.sizes() || cpu.storage().data() != gpu.storage().data())) {
      if (cpu.storage().data() != gpu.storage().data()) {
        gpu.unsafeGetTensorImpl()->set_storage_keep_dtype(call.fresh(cpu.storage()));
      }
      gpu.unsafeGetTensorImpl()->set_sizes_and_strides(cpu.sizes(), cpu.strides(), cpu.storage_offset());
    }
  }
  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i) {
    auto& value = (*stack)[i];
    if (value.isTensor() && !(copied_to.defined() && !copied_to.is_cuda())) {
      value = call.to_gpu(value.toTensor());
    } else if (value.isTensorList()) {
      std::vector<at::Tensor> tensors;
      for (const at::Tensor& tensor : value.toTensorVector()) tensors.push_back(call.to_gpu(tensor));
      value = tensors;
    }
  }
}

TORCH_LIBRARY_IMPL(_, CUDA, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&kernel>()); }

TORCH_LIBRARY_IMPL(aten, CUDA, m) { m.impl("copy_", torch::CppFunction::makeFromBoxedFunction<&kernel>()); }

}  // namespace

extern "C" {

const char* simulated_gpu_race(size_t index) {
  auto& world = World::get();
  Lock lock(world.mutex);
  return index < world.races.size() ? world.races[index].c_str() : nullptr;
}

void simulated_gpu_waits(uint64_t* counts) {
  auto& world = World::get();
  Lock lock(world.mutex);
  counts[0] = world.hidden;
  counts[1] = world.stream_waits;
  counts[2] = world.event_waits;
}

void simulated_gpu_reset() {
  auto& world = World::get();
  Lock lock(world.mutex);
  world.races.clear();
  world.backward.clear();
  world.hidden = world.stream_waits = world.event_waits = 0;
}

size_t simulated_gpu_backward_threads() {
  auto& world = World::get();
  Lock lock(world.mutex);
  return world.backward.size();
}

int64_t simulated_gpu_bytes(int gpu) {
  auto& world = World::get();
  Lock lock(world.mutex);
  return world.bytes[gpu];
}

}  // extern "C"
