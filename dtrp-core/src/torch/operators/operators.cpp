// Any operator of libtorch, found by name and called with a stack of values through libtorch's own dispatcher: autograd, devices
// and autocast are those of a call from PyTorch. As in shim.cpp, functions return null or an error text.

#include <ATen/ScalarOps.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <torch/torch.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "shim.h"

namespace {

// The tags of values; `operators/value.rs` has the same.
enum Tag : int32_t { None, Tensor, Tensors, Int, Ints, Float, Floats, Bool, Bools, Text, ComputeDevice, Default };

// One value that goes in or comes out. `items` are at::Tensor const* const* (null: none), int64_t const*, double const*, uint8_t
// const* or char const*, by the tag; `count` says how many.
struct Value {
  int32_t tag;
  int32_t index;
  int64_t integer;
  double number;
  const void* items;
  size_t count;
};

struct Operator {
  c10::OperatorHandle handle;
};

const c10::Type* inner(const c10::Type& type) {
  if (type.kind() == c10::TypeKind::OptionalType) return type.castRaw<c10::OptionalType>()->getElementType().get();
  return &type;
}

bool is(const c10::Type& type, c10::TypeKind kind) { return inner(type)->kind() == kind; }

const c10::Type* element(const c10::Type& type) {
  const auto* list = inner(type);
  if (list->kind() != c10::TypeKind::ListType) return nullptr;
  return list->castRaw<c10::ListType>()->getElementType().get();
}

c10::IValue empty_list(const c10::Type& item) {
  using c10::TypeKind;
  switch (item.kind()) {
    case TypeKind::TensorType:
      return c10::List<at::Tensor>();
    case TypeKind::FloatType:
      return c10::List<double>();
    case TypeKind::BoolType:
      return c10::List<bool>();
    case TypeKind::NumberType:
      return c10::List<c10::Scalar>();
    case TypeKind::OptionalType:
      return c10::List<std::optional<at::Tensor>>();
    default:
      return c10::List<int64_t>();
  }
}

// A number where a tensor is declared: one that does not decide the element type of the result, as in Python.
// Source: torch/csrc/utils/python_arg_parser.cpp, set_wrapped_number.
c10::IValue as_tensor(const c10::Scalar& number) {
  auto tensor = at::scalar_to_tensor(number);
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

// A value as the type that the operator declares: files write 1 for 1.0, and one number for a list of them.
c10::IValue given(const Value& value, const c10::Argument& argument) {
  using c10::TypeKind;
  const auto& type = *argument.type();
  const auto* item = element(type);
  switch (value.tag) {
    case None:
      return c10::IValue();
    case Tensor: {
      const auto* tensor = static_cast<const at::Tensor* const*>(value.items)[0];
      return tensor == nullptr ? c10::IValue() : c10::IValue(*tensor);
    }
    case Tensors: {
      const auto* tensors = static_cast<const at::Tensor* const*>(value.items);
      if (item != nullptr && item->kind() == TypeKind::OptionalType) {
        c10::List<std::optional<at::Tensor>> list;
        for (size_t i = 0; i < value.count; ++i)
          list.push_back(tensors[i] == nullptr ? std::nullopt : std::optional<at::Tensor>(*tensors[i]));
        return list;
      }
      c10::List<at::Tensor> list;
      for (size_t i = 0; i < value.count; ++i) list.push_back(tensors[i] == nullptr ? at::Tensor() : *tensors[i]);
      return list;
    }
    case Int:
      if (is(type, TypeKind::TensorType)) return as_tensor(value.integer);
      if (is(type, TypeKind::FloatType)) return static_cast<double>(value.integer);
      if (is(type, TypeKind::BoolType)) return value.integer != 0;
      if (item != nullptr) {
        auto count = static_cast<size_t>(argument.N().value_or(1));
        if (item->kind() == TypeKind::FloatType)
          return c10::IValue(std::vector<double>(count, static_cast<double>(value.integer)));
        return c10::IValue(std::vector<int64_t>(count, value.integer));
      }
      return value.integer;
    case Ints: {
      const auto* numbers = static_cast<const int64_t*>(value.items);
      if (item != nullptr && value.count == 0) return empty_list(*item);
      if (item != nullptr && item->kind() == TypeKind::FloatType) return c10::IValue(std::vector<double>(numbers, numbers + value.count));
      if (item != nullptr && item->kind() == TypeKind::NumberType) {
        c10::List<c10::Scalar> list;
        for (size_t i = 0; i < value.count; ++i) list.push_back(c10::Scalar(numbers[i]));
        return list;
      }
      return c10::IValue(std::vector<int64_t>(numbers, numbers + value.count));
    }
    case Float:
      if (is(type, TypeKind::TensorType)) return as_tensor(value.number);
      return value.number;
    case Floats: {
      const auto* numbers = static_cast<const double*>(value.items);
      return c10::IValue(std::vector<double>(numbers, numbers + value.count));
    }
    case Bool:
      if (is(type, TypeKind::TensorType)) return as_tensor(value.integer != 0);
      return value.integer != 0;
    case Bools: {
      c10::List<bool> list;
      for (size_t i = 0; i < value.count; ++i) list.push_back(static_cast<const uint8_t*>(value.items)[i] != 0);
      return list;
    }
    case Text:
      return std::string(static_cast<const char*>(value.items), value.count);
    case ComputeDevice:
      return value.index < 0 ? c10::Device(c10::kCPU) : c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(value.index));
    default:
      TORCH_CHECK(argument.default_value().has_value(), "no value is given for `", argument.name(), "`, and it has no default");
      return *argument.default_value();
  }
}

const at::Tensor* taken(const at::Tensor& tensor) { return tensor.defined() ? new at::Tensor(tensor) : nullptr; }

// Tensors that come out belong to the caller, and so does the list of them.
Value returned(const c10::IValue& value) {
  Value out{None, 0, 0, 0.0, nullptr, 0};
  std::vector<at::Tensor> tensors;
  if (value.isTensor()) {
    out.tag = Tensor;
    tensors.push_back(value.toTensor());
  } else if (value.isTensorList()) {
    out.tag = Tensors;
    tensors = value.toTensorVector();
  } else if (value.isInt()) {
    out.tag = Int;
    out.integer = value.toInt();
  } else if (value.isDouble()) {
    out.tag = Float;
    out.number = value.toDouble();
  } else if (value.isBool()) {
    out.tag = Bool;
    out.integer = value.toBool() ? 1 : 0;
  } else {
    TORCH_CHECK(value.isNone(), "an operator that returns ", value.tagKind(), " is not supported");
  }
  if (out.tag == Tensor || out.tag == Tensors) {
    out.count = tensors.size();
    auto* items = static_cast<const at::Tensor**>(std::calloc(tensors.empty() ? 1 : tensors.size(), sizeof(at::Tensor*)));
    TORCH_CHECK(items != nullptr, "no memory");
    for (size_t i = 0; i < tensors.size(); ++i) items[i] = taken(tensors[i]);
    out.items = items;
  }
  return out;
}

// One argument or result a line, its fields between tabs: name, type, whether it is written to, whether it is a view, whether it
// has a default.
void describe(std::ostringstream& out, const c10::Argument& argument) {
  const auto* alias = argument.alias_info();
  bool writes = alias != nullptr && alias->isWrite();
  out << argument.name() << '\t' << argument.type()->str() << '\t' << writes << '\t' << (alias != nullptr) << '\t';
  if (alias != nullptr)
    for (const auto& set : alias->beforeSets()) out << set.toUnqualString() << ' ';
  out << '\t' << argument.default_value().has_value() << '\n';
}

}  // namespace

extern "C" {

// The operator `name` (with its namespace: `aten::add`) of this overload; null in `found` where libtorch has none. It belongs to
// the caller. Source: aten/src/ATen/core/dispatch/Dispatcher.h, findSchema.
char* dtrp_operator_find(const char* name, const char* overload, Operator** found) {
  return guarded([&] {
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    *found = handle.has_value() ? new Operator{*handle} : nullptr;
  });
}

void dtrp_operator_free(Operator* op) { delete op; }

// Its schema: 1 or 0, whether it draws random numbers; its arguments; an empty line; its results. `text` is freed with dtrp_free.
char* dtrp_operator_schema(const Operator* op, char** text) {
  return guarded([&] {
    std::ostringstream out;
    const auto& schema = op->handle.schema();
    out << op->handle.hasTag(at::Tag::nondeterministic_seeded) << '\n';
    for (const auto& argument : schema.arguments()) describe(out, argument);
    out << '\n';
    for (const auto& result : schema.returns()) describe(out, result);
    *text = strdup(out.str().c_str());
  });
}

// Calls it with a value for each of its arguments, in order. `results` has room for `most`; `count` says how many came.
// Source: aten/src/ATen/core/dispatch/Dispatcher.h, callBoxed.
char* dtrp_operator_call(const Operator* op, const Value* values, size_t given_count, Value* results, size_t most,
                         size_t* count) {
  return guarded([&] {
    const auto& arguments = op->handle.schema().arguments();
    TORCH_CHECK(given_count == arguments.size(), "it takes ", arguments.size(), " values, not ", given_count);
    torch::jit::Stack stack;
    stack.reserve(arguments.size());
    for (size_t i = 0; i < arguments.size(); ++i) stack.push_back(given(values[i], arguments[i]));
    op->handle.callBoxed(stack);
    TORCH_CHECK(stack.size() <= most, "it returns ", stack.size(), " values, not ", most);
    *count = 0;
    for (const auto& value : stack) {
      results[*count] = returned(value);
      *count += 1;
    }
  });
}

// The list of tensors of a result; the tensors in it are others' affair.
void dtrp_operator_forget(const void* items) { std::free(const_cast<void*>(items)); }

}  // extern "C"
