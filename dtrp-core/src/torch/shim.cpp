// What the `tch` crate lacks, as plain C functions. Every function returns null, or an error text that the caller frees
// with dtrp_free. Tensors are pointers to at::Tensor, as in torch-sys; those that are returned belong to the caller.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/torch.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

namespace {

template <typename F>
char* guarded(F body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error& e) {
    return strdup(e.what_without_backtrace());
  } catch (const std::exception& e) {
    return strdup(e.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}

}  // namespace

extern "C" {

void dtrp_free(char* text) { std::free(text); }

// Vector-Jacobian product: gradients of `output`, seeded with `delta` (null: one, for a scalar output), with respect to
// `inputs`; frees the graph. Results that do not depend on the output are null.
// Source: torch/csrc/autograd/autograd.h, torch::autograd::grad.
char* dtrp_vjp(const at::Tensor* output, const at::Tensor* delta, at::Tensor* const* inputs, size_t count,
               at::Tensor** results) {
  return guarded([&] {
    std::vector<at::Tensor> leaves;
    leaves.reserve(count);
    for (size_t i = 0; i < count; ++i) leaves.push_back(*inputs[i]);
    std::vector<at::Tensor> seeds;
    if (delta != nullptr) seeds.push_back(*delta);
    auto grads = torch::autograd::grad({*output}, leaves, seeds, /*retain_graph=*/false, /*create_graph=*/false,
                                       /*allow_unused=*/true);
    for (size_t i = 0; i < count; ++i) results[i] = grads[i].defined() ? new at::Tensor(grads[i]) : nullptr;
  });
}

// y += alpha * x, in place and in one pass. Source: aten/src/ATen/native/BinaryOps.cpp, add_.
char* dtrp_add_scaled(at::Tensor* y, const at::Tensor* x, double alpha) {
  return guarded([&] {
    at::NoGradGuard guard;
    y->add_(*x, alpha);
  });
}

// Denormal numbers of the calling thread become 0; false if the processor cannot.
// Source: aten/src/ATen/Context.h, Context::setFlushDenormal.
int dtrp_flush_denormals(int on) { return at::globalContext().setFlushDenormal(on != 0) ? 1 : 0; }

// The build's own description of its versions, libraries and flags. Source: torch/csrc/utils, at::show_config.
char* dtrp_build_information() { return strdup(at::show_config().c_str()); }

// How operators use threads, one `key : value` a line. Source: aten/src/ATen/Parallel.h, get_parallel_info.
char* dtrp_parallel_information() { return strdup(at::get_parallel_info().c_str()); }

}  // extern "C"
