/* A custom predictor in CUDA C++: looks ahead along the optimizer's direction, but moves no parameter further than a limit.
 *
 *     W' = w - clamp((sum of learning rates) * d, -limit, limit)
 *
 * It works in the memory of the GPU, on the stream of the worker: nothing is copied, and nobody waits. Weights in host
 * memory it takes too, so the limit gives the same forecast in both places. One option: {"limit": 0.01}, a number above 0.
 */
#include <cuda_runtime_api.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "dtrp_predictor.h"

namespace {

const char ID[] = "org.example.cuda-lookahead";

struct Lookahead {
  dtrp_predictor table; /* what the host sees */
  const dtrp_host *host;
  double limit;
};

dtrp_status fail(const dtrp_host *host, dtrp_status status, const std::string &text) {
  host->set_error(text.data(), text.size());
  return status;
}

void destroy(void *data) { delete static_cast<Lookahead *>(data); }

dtrp_status rule(void *, const dtrp_context *context, dtrp_rule *out) {
  /* Horizon 0 is the linear rule that the host has filled in: W' = w. */
  if (context->horizon > 0) out->kind = DTRP_CUSTOM;
  return DTRP_OK;
}

template <typename T>
__host__ __device__ T look(double rate, double limit, T w, double d) {
  double step = rate * d;
  step = step > limit ? limit : step < -limit ? -limit : step;
  return static_cast<T>(static_cast<double>(w) - step);
}

template <typename T>
__global__ void look_kernel(double rate, double limit, size_t n, const T *w, const T *d, T *out) {
  const size_t stride = static_cast<size_t>(gridDim.x) * blockDim.x;
  for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    out[i] = look(rate, limit, w[i], d != nullptr ? static_cast<double>(d[i]) : 0.0);
  }
}

template <typename T>
T *start(const dtrp_tensor *tensor) {
  return reinterpret_cast<T *>(static_cast<char *>(tensor->data) + tensor->byte_offset);
}

template <typename T>
dtrp_status look_all(const Lookahead &self, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  double rate = 0.0;
  for (uint32_t i = 0; i < context->horizon; i++) rate += context->learning_rates[i];
  const size_t n = static_cast<size_t>(out->shape[0]);
  /* Before the first update there is no direction. */
  const T *w = start<T>(views->weights), *d = views->direction != nullptr ? start<T>(views->direction) : nullptr;
  T *to = start<T>(out);
  if (out->device.type == DTRP_CPU) {
    for (size_t i = 0; i < n; i++) to[i] = look(rate, self.limit, w[i], d != nullptr ? static_cast<double>(d[i]) : 0.0);
    return DTRP_OK;
  }
  if (n == 0) return DTRP_OK;
  const unsigned threads = 256;
  const size_t most = 4096, blocks = (n + threads - 1) / threads;
  /* The thread's current device is the host's business: put it back. */
  int before = 0;
  cudaError_t error = cudaGetDevice(&before);
  if (error == cudaSuccess) error = cudaSetDevice(out->device.id);
  if (error == cudaSuccess) {
    look_kernel<T><<<static_cast<unsigned>(blocks < most ? blocks : most), threads, 0,
                     static_cast<cudaStream_t>(context->stream)>>>(rate, self.limit, n, w, d, to);
    error = cudaGetLastError();
    cudaSetDevice(before);
  }
  return error == cudaSuccess ? DTRP_OK : fail(self.host, DTRP_ERROR, cudaGetErrorString(error));
}

dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  const auto &self = *static_cast<const Lookahead *>(data);
  return out->dtype.bits == 32 ? look_all<float>(self, context, views, out) : look_all<double>(self, context, views, out);
}

/* Reads {} or {"limit": NUMBER}; a real plug-in would use a JSON library. */
bool read_limit(const char *options, size_t size, double *limit) {
  std::string text;
  for (size_t i = 0; i < size; i++)
    if (!std::isspace(static_cast<unsigned char>(options[i]))) text += options[i];
  const std::string key = "{\"limit\":";
  if (text.empty() || text == "{}") return true;
  if (text.compare(0, key.size(), key) != 0) return false;
  char *end = nullptr;
  *limit = std::strtod(text.c_str() + key.size(), &end);
  return std::strcmp(end, "}") == 0 && std::isfinite(*limit) && *limit > 0.0;
}

dtrp_status create(const dtrp_host *host, const char *id, size_t id_size, const char *options, size_t options_size,
                   const dtrp_predictor **predictor) {
  if (id_size != sizeof(ID) - 1 || std::memcmp(id, ID, id_size) != 0)
    return fail(host, DTRP_UNKNOWN_PREDICTOR, "there is only org.example.cuda-lookahead");
  double limit = 0.01;
  if (!read_limit(options, options_size, &limit))
    return fail(host, DTRP_INVALID_OPTION, "the only option is \"limit\", a number above 0");
  auto *self = new (std::nothrow) Lookahead{};
  if (self == nullptr) return fail(host, DTRP_ERROR, "out of memory");
  self->table.struct_size = sizeof(dtrp_predictor);
  self->table.data = self;
  self->table.inputs = DTRP_READS_DIRECTION;
  self->table.destroy = destroy;
  self->table.rule = rule;
  self->table.predict = predict;
  self->host = host;
  self->limit = limit;
  *predictor = &self->table;
  return DTRP_OK;
}

uint32_t count() { return 1; }

const dtrp_descriptor *descriptor(uint32_t index) {
  static const dtrp_descriptor only = {
      sizeof(dtrp_descriptor),
      {ID, sizeof(ID) - 1},
      DTRP_TEXT("0.1.0"),
      DTRP_TEXT("momentum's look-ahead on the GPU, with a limit on how far one parameter moves"),
      DTRP_TEXT("W' = w - clamp((sum of rates) * d, -limit, limit)"),
      DTRP_TEXT("MIT OR Apache-2.0"),
      DTRP_TEXT("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
                "{\"limit\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"default\":0.01}}}"),
      DTRP_CUSTOM,
      DTRP_ON_CPU | DTRP_ON_CUDA,
      DTRP_IN_F32 | DTRP_IN_F64,
      0,
  };
  return index == 0 ? &only : nullptr;
}

}  // namespace

extern "C" DTRP_EXPORT const dtrp_entry dtrp_predictor_entry = {
    DTRP_MAGIC, DTRP_ABI_MAJOR, DTRP_ABI_MINOR, sizeof(dtrp_entry), count, descriptor, create,
};
