// What the `tch` crate lacks, as plain C functions. Every function returns null, or an error text that the caller frees
// with dtrp_free. Tensors are pointers to at::Tensor, as in torch-sys; those that are returned belong to the caller.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/torch.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "shim.h"

extern "C" {

void dtrp_free(char* text) { std::free(text); }

// Vector-Jacobian product: gradients of the `roots` outputs, each seeded with its delta (null: one, for a scalar output), with
// respect to `inputs`; frees the graph. Outputs without a graph are left out. Results that depend on no output are null.
// `engine` executes it; null: libtorch's own. Source: torch/csrc/autograd/engine.h, Engine::execute.
char* dtrp_vjp(torch::autograd::Engine* engine, at::Tensor* const* outputs, at::Tensor* const* deltas, size_t roots,
               at::Tensor* const* inputs, size_t count, at::Tensor** results) {
  return guarded([&] {
    torch::autograd::edge_list from, leaves;
    torch::autograd::variable_list seeds;
    for (size_t i = 0; i < roots; ++i) {
      const auto& output = *outputs[i];
      if (!output.requires_grad()) continue;
      TORCH_CHECK(deltas[i] != nullptr || output.numel() == 1,
                  "an output of several elements needs a gradient to start from");
      from.push_back(torch::autograd::impl::gradient_edge(output));
      seeds.push_back(deltas[i] != nullptr ? *deltas[i] : at::ones_like(output, at::MemoryFormat::Preserve));
    }
    if (from.empty()) return;
    leaves.reserve(count);
    for (size_t i = 0; i < count; ++i) leaves.push_back(torch::autograd::impl::gradient_edge(*inputs[i]));
    auto& own = engine != nullptr ? *engine : torch::autograd::Engine::get_default_engine();
    auto grads = own.execute(from, seeds, /*keep_graph=*/false, /*create_graph=*/false, /*accumulate_grad=*/false, leaves);
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

// to[i] = from[i], or to[i] += from[i]; a few kernels for all of them on a GPU.
// Source: aten/src/ATen/native/cuda/ForeachBinaryOpList.cu, _foreach_copy_, _foreach_add_.
char* dtrp_copy_all(at::Tensor* const* to, at::Tensor* const* from, size_t count, int add) {
  return guarded([&] {
    at::NoGradGuard guard;
    std::vector<at::Tensor> targets, sources;
    for (size_t i = 0; i < count; ++i) {
      targets.push_back(*to[i]);
      sources.push_back(*from[i]);
    }
    if (count == 0) return;
    if (add != 0) {
      at::_foreach_add_(targets, sources);
    } else {
      at::_foreach_copy_(targets, sources);
    }
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
