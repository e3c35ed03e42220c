// Processes that know each other, by libtorch's c10d, as plain C functions. Every function that can fail returns null, or an
// error text that the caller frees with dtrp_free. Bytes that are returned are freed likewise.
//
// libtorch's wheel has ProcessGroupGloo and its header, but not the headers of gloo; `gloo_names/` stands in for them.
// Sources: torch/csrc/distributed/c10d/{TCPStore,ProcessGroupGloo}.hpp.

#define USE_C10D_GLOO 1
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/version.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "shim.h"

namespace {

// What libtorch's own destructor of the class frees: with another size, the names do not stand for gloo's headers any more.
static_assert(sizeof(c10d::ProcessGroupGloo) == 488, "gloo_names/ does not fit this libtorch");

using Milliseconds = std::chrono::milliseconds;
using Store = c10::intrusive_ptr<c10d::Store>;

struct Group {
  c10::intrusive_ptr<c10d::Backend> backend;
};

// A transfer that has begun, with the tensor that it reads or writes.
struct Pending {
  c10::intrusive_ptr<c10d::Work> work;
  at::Tensor tensor;
};

std::vector<uint8_t> bytes(const uint8_t* data, size_t size) { return std::vector<uint8_t>(data, data + size); }

void give(const std::vector<uint8_t>& value, char** data, size_t* size) {
  *data = static_cast<char*>(std::malloc(value.size() + 1));
  TORCH_CHECK(*data != nullptr, "no memory");
  if (!value.empty()) std::memcpy(*data, value.data(), value.size());
  *size = value.size();
}

const Store& store_of(void* store) { return *static_cast<Store*>(store); }

}  // namespace

extern "C" {

// The version of libtorch that this was compiled with.
const char* dtrp_group_version() { return TORCH_VERSION; }

// Opens a store on a socket that listens at this port, or (`listener` -1) a connection to one. No call waits longer than
// `timeout`, ms.
char* dtrp_store(const char* host, uint16_t port, int listener, int64_t timeout, void** out) {
  return guarded([&] {
    // c10d tells of connections that end with a C++ stack each; who asked is told by an error.
    FLAGS_caffe2_log_level = 3;
    setenv("GLOO_LOG_LEVEL", "FATAL", 0);
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = listener >= 0;
    if (listener >= 0) options.masterListenFd = listener;
    options.waitWorkers = false;
    options.timeout = Milliseconds(timeout);
    *out = new Store(c10::make_intrusive<c10d::TCPStore>(host, options));
  });
}

// Another connection to the same store: a call on one connection waits for those before it. No call on it waits longer than
// `timeout`, ms.
char* dtrp_store_clone(void* store, int64_t timeout, void** out) {
  return guarded([&] {
    auto other = store_of(store)->clone();
    other->setTimeout(Milliseconds(timeout));
    *out = new Store(other);
  });
}

void dtrp_store_free(void* store) { delete static_cast<Store*>(store); }

char* dtrp_store_set(void* store, const char* key, const uint8_t* data, size_t size) {
  return guarded([&] { store_of(store)->set(key, bytes(data, size)); });
}

// Waits until the key is there.
char* dtrp_store_get(void* store, const char* key, char** data, size_t* size) {
  return guarded([&] { give(store_of(store)->get(key), data, size); });
}

char* dtrp_store_check(void* store, const char* key, int* there) {
  return guarded([&] { *there = store_of(store)->check({key}) ? 1 : 0; });
}

// Sets the key if nobody has; gives what it is afterwards.
char* dtrp_store_claim(void* store, const char* key, const uint8_t* wanted, size_t wanted_size, char** data, size_t* size) {
  return guarded([&] { give(store_of(store)->compareSet(key, {}, bytes(wanted, wanted_size)), data, size); });
}

// Connects `size` processes with each other, within `timeout` ms. `device` is this one's address, or (`named`) its interface.
char* dtrp_group(void* store, const char* prefix, int rank, int size, const char* device, int named, int64_t timeout, void** out) {
  return guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(Milliseconds(timeout));
    options->devices.push_back(named != 0 ? c10d::ProcessGroupGloo::createDeviceForInterface(device)
                                          : c10d::ProcessGroupGloo::createDeviceForHostname(device));
    options->threads = 1;
    auto own = c10::make_intrusive<c10d::PrefixStore>(prefix, store_of(store));
    *out = new Group{c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, options)};
  });
}

void dtrp_group_free(void* group) { delete static_cast<Group*>(group); }

// The tensor must be contiguous. One that is received must have as many bytes as the one that is sent: gloo ends the
// process otherwise.
char* dtrp_group_send(void* group, const void* tensor, int peer, int tag, void** out) {
  return guarded([&] {
    std::vector<at::Tensor> one{*static_cast<const at::Tensor*>(tensor)};
    *out = new Pending{static_cast<Group*>(group)->backend->send(one, peer, tag), one[0]};
  });
}

char* dtrp_group_receive(void* group, const void* tensor, int peer, int tag, void** out) {
  return guarded([&] {
    std::vector<at::Tensor> one{*static_cast<const at::Tensor*>(tensor)};
    *out = new Pending{static_cast<Group*>(group)->backend->recv(one, peer, tag), one[0]};
  });
}

// `whole`: 1 if it is done, 0 if it was aborted.
char* dtrp_work_wait(void* work, int64_t timeout, int* whole) {
  return guarded([&] { *whole = static_cast<Pending*>(work)->work->wait(Milliseconds(timeout)) ? 1 : 0; });
}

// Ends the wait for it, whether that has begun or not. From any thread.
char* dtrp_work_abort(void* work) {
  return guarded([&] { static_cast<Pending*>(work)->work->abort(); });
}

void dtrp_work_free(void* work) { delete static_cast<Pending*>(work); }

}  // extern "C"
