#include "CTorch.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>
#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/forward_grad.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <mutex>
#include <optional>
#include <string>
#include <vector>

using c10::IValue;

struct px_object {
  IValue value;
};

// Marks an argument that shall take the schema's default.
struct Argument {
  IValue value;
  bool is_default = false;
};

struct px_stack {
  int64_t op;
  std::vector<Argument> arguments;
  std::vector<IValue> list;  // the elements of a list that is being pushed
  int64_t missing = 0;       // how many of them are still to come
  std::vector<IValue> results;
};

namespace {

thread_local bool grad_enabled = false;
thread_local bool forward_enabled = false;

// libtorch has one level of tangents in the process; it goes with the last thread that uses it.
std::mutex forward_lock;
int64_t forward_count = 0;
uint64_t forward_level = 0;

std::mutex operators_lock;
// Never shrinks, and holds pointers, so that a handle stays valid while others are looked up.
std::vector<std::unique_ptr<c10::OperatorHandle>> &operators() {
  static auto *table = new std::vector<std::unique_ptr<c10::OperatorHandle>>();
  return *table;
}

const c10::OperatorHandle &handle(int64_t op) {
  std::lock_guard<std::mutex> guard(operators_lock);
  return *operators()[op];
}

char *copied(const std::string &text) {
  char *out = static_cast<char *>(std::malloc(text.size() + 1));
  std::memcpy(out, text.c_str(), text.size() + 1);
  return out;
}

// The first lines of a message, on one line, without the C++ stack.
char *message(std::string text) {
  for (const char *mark : {"\nException raised from", "\nC++ CapturedTraceback"}) {
    auto at = text.find(mark);
    if (at != std::string::npos) text.resize(at);
  }
  // "[enforce fail at FILE:LINE] CONDITION. SENTENCE", as the allocator says it.
  if (text.rfind("[enforce fail at ", 0) == 0) {
    auto at = text.find(". ", text.find(']'));
    if (at != std::string::npos) text.erase(0, at + 2);
  }
  std::string line;
  bool space = false;
  for (char c : text) {
    if (c == '\n' || c == '\r' || c == '\t' || c == ' ') {
      space = !line.empty();
      continue;
    }
    if (space) line += ' ';
    space = false;
    line += c;
  }
  if (line.size() > 600) line = line.substr(0, 600) + "...";
  return copied(line);
}

template <typename Body>
char *guarded(Body body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error &error) {
    return message(error.what_without_backtrace());
  } catch (const std::bad_alloc &) {
    return copied("out of memory");
  } catch (const std::exception &error) {
    return message(error.what());
  } catch (...) {
    return copied("an unknown C++ exception");
  }
}

const at::Tensor &tensor(const px_object *object) { return object->value.toTensor(); }

px_object *boxed(IValue value) { return new px_object{std::move(value)}; }

void push(px_stack *stack, IValue value) {
  if (stack->missing > 0) {
    stack->list.push_back(std::move(value));
    stack->missing -= 1;
    if (stack->missing > 0) return;
    // A plain generic list; `coerced` gives it the type that the schema asks for.
    c10::impl::GenericList list(c10::AnyType::get());
    for (auto &element : stack->list) list.push_back(std::move(element));
    stack->list.clear();
    stack->arguments.push_back({IValue(std::move(list))});
    return;
  }
  stack->arguments.push_back({std::move(value)});
}

IValue coerced(IValue value, const c10::TypePtr &type, std::optional<int32_t> fixed) {
  using c10::TypeKind;
  switch (type->kind()) {
    case TypeKind::OptionalType:
      if (value.isNone()) return value;
      return coerced(std::move(value), type->castRaw<c10::OptionalType>()->getElementType(), fixed);
    case TypeKind::FloatType:
      if (value.isInt()) return IValue(static_cast<double>(value.toInt()));
      return value;
    case TypeKind::BoolType:
      if (value.isInt()) return IValue(value.toInt() != 0);
      return value;
    case TypeKind::DeviceObjType:
      if (value.isString()) return IValue(c10::Device(value.toStringRef()));
      return value;
    case TypeKind::TensorType:
      // A number where a tensor is asked for, as Python's operators take it.
      if (value.isInt() || value.isDouble() || value.isBool()) {
        auto wrapped = at::scalar_tensor(
            value.toScalar(),
            value.isDouble() ? at::kDouble : (value.isBool() ? at::kBool : at::kLong));
        wrapped.unsafeGetTensorImpl()->set_wrapped_number(true);
        return IValue(wrapped);
      }
      return value;
    case TypeKind::ListType: {
      auto element = type->castRaw<c10::ListType>()->getElementType();
      auto kind = element->kind();
      if (kind == TypeKind::IntType || kind == TypeKind::SymIntType) {
        if (value.isInt())
          return IValue(c10::List<int64_t>(
              std::vector<int64_t>(static_cast<size_t>(fixed.value_or(1)), value.toInt())));
        return value;
      }
      if (kind == TypeKind::FloatType) {
        if (value.isIntList()) {
          c10::List<double> list;
          for (int64_t number : value.toIntVector()) list.push_back(static_cast<double>(number));
          return IValue(list);
        }
        return value;
      }
      if (kind == TypeKind::BoolType && value.isIntList()) {
        c10::List<bool> list;
        for (int64_t number : value.toIntVector()) list.push_back(number != 0);
        return IValue(list);
      }
      if (!value.isList()) return value;
      auto generic = value.toListRef();
      if (kind == TypeKind::TensorType) {
        c10::List<at::Tensor> list;
        for (const auto &item : generic) list.push_back(item.toTensor());
        return IValue(list);
      }
      if (kind == TypeKind::OptionalType &&
          element->castRaw<c10::OptionalType>()->getElementType()->kind() == TypeKind::TensorType) {
        auto list = c10::List<std::optional<at::Tensor>>();
        for (const auto &item : generic)
          list.push_back(item.isNone() ? std::nullopt : std::optional<at::Tensor>(item.toTensor()));
        return IValue(list);
      }
      if (kind == TypeKind::NumberType || kind == TypeKind::OptionalType) {
        c10::impl::GenericList list(element);
        for (const auto &item : generic) list.push_back(item);
        return IValue(list);
      }
      return value;
    }
    default:
      return value;
  }
}

}  // namespace

void px_free(char *text) { std::free(text); }
void px_object_free(px_object *object) { delete object; }
const char *px_libtorch_version(void) { return TORCH_VERSION; }

int64_t px_operator(const char *name, const char *overload) {
  try {
    auto found = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!found) return -1;
    std::lock_guard<std::mutex> guard(operators_lock);
    operators().push_back(std::make_unique<c10::OperatorHandle>(*found));
    return static_cast<int64_t>(operators().size()) - 1;
  } catch (...) {
    return -1;
  }
}

char *px_operator_schema(int64_t op) {
  try {
    std::ostringstream out;
    out << handle(op).schema();
    return copied(out.str());
  } catch (...) {
    return copied("?");
  }
}

int64_t px_operator_argument_count(int64_t op) {
  return static_cast<int64_t>(handle(op).schema().arguments().size());
}
char *px_operator_argument_name(int64_t op, int64_t index) {
  return copied(handle(op).schema().arguments()[index].name());
}
int32_t px_operator_argument_alias(int64_t op, int64_t index) {
  const auto *alias = handle(op).schema().arguments()[index].alias_info();
  return alias ? (alias->isWrite() ? 2 : 1) : 0;
}

px_stack *px_stack_new(int64_t op) {
  auto *stack = new px_stack();
  stack->op = op;
  stack->arguments.reserve(10);
  return stack;
}
void px_stack_free(px_stack *stack) { delete stack; }

void px_push_none(px_stack *stack) { push(stack, IValue()); }
void px_push_default(px_stack *stack) { stack->arguments.push_back({IValue(), true}); }
void px_push_object(px_stack *stack, const px_object *object) { push(stack, object->value); }
void px_push_int(px_stack *stack, int64_t value) { push(stack, IValue(value)); }
void px_push_double(px_stack *stack, double value) { push(stack, IValue(value)); }
void px_push_bool(px_stack *stack, bool value) { push(stack, IValue(value)); }
void px_push_string(px_stack *stack, const char *value) { push(stack, IValue(std::string(value))); }
void px_push_ints(px_stack *stack, const int64_t *values, int64_t count) {
  push(stack, IValue(c10::List<int64_t>(c10::ArrayRef<int64_t>(values, count))));
}
void px_push_doubles(px_stack *stack, const double *values, int64_t count) {
  push(stack, IValue(c10::List<double>(c10::ArrayRef<double>(values, count))));
}
void px_push_bools(px_stack *stack, const bool *values, int64_t count) {
  c10::List<bool> list;
  for (int64_t i = 0; i < count; ++i) list.push_back(values[i]);
  push(stack, IValue(list));
}
void px_push_list(px_stack *stack, int64_t count) {
  if (count == 0) {
    stack->arguments.push_back({IValue(c10::impl::GenericList(c10::AnyType::get()))});
    return;
  }
  stack->missing = count;
}

char *px_stack_call(px_stack *stack) {
  return guarded([&] {
    const auto &op = handle(stack->op);
    const auto &schema = op.schema();
    const auto &wanted = schema.arguments();
    TORCH_CHECK(stack->arguments.size() <= wanted.size(), "takes at most ", wanted.size(),
                " arguments, found ", stack->arguments.size());
    torch::jit::Stack values;
    values.reserve(wanted.size() + 2);
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (i < stack->arguments.size() && !stack->arguments[i].is_default) {
        values.push_back(
            coerced(std::move(stack->arguments[i].value), wanted[i].type(), wanted[i].N()));
        const auto &value = values.back();
        TORCH_CHECK(!value.isNone() || wanted[i].type()->kind() == c10::TypeKind::OptionalType,
                    "argument '", wanted[i].name(), "' is missing");
      } else {
        TORCH_CHECK(wanted[i].default_value().has_value() ||
                        wanted[i].type()->kind() == c10::TypeKind::OptionalType,
                    "argument '", wanted[i].name(), "' is missing");
        values.push_back(wanted[i].default_value().value_or(IValue()));
      }
    }
    schema.checkAndNormalizeInputs(values, {});
    c10::AutoGradMode mode(grad_enabled);
    op.callBoxed(values);
    stack->arguments.clear();
    for (auto &value : values) {
      if (value.isTensorList()) {
        for (const at::Tensor &item : value.toTensorVector()) stack->results.emplace_back(item);
      } else {
        stack->results.push_back(std::move(value));
      }
    }
  });
}

int64_t px_result_count(const px_stack *stack) {
  return static_cast<int64_t>(stack->results.size());
}
int32_t px_result_kind(const px_stack *stack, int64_t index) {
  const auto &value = stack->results[index];
  if (value.isNone()) return 0;
  if (value.isTensor()) return value.toTensor().defined() ? 1 : 0;
  if (value.isInt()) return 2;
  if (value.isDouble()) return 3;
  if (value.isBool()) return 4;
  return 5;
}
px_object *px_result_object(const px_stack *stack, int64_t index) {
  return boxed(stack->results[index]);
}
int64_t px_result_int(const px_stack *stack, int64_t index) {
  const auto &value = stack->results[index];
  return value.isBool() ? value.toBool() : value.toInt();
}
double px_result_double(const px_stack *stack, int64_t index) {
  return stack->results[index].toDouble();
}

char *px_tensor_copying(const void *bytes, int32_t dtype, const int64_t *shape, int64_t rank,
                        px_object **out) {
  return guarded([&] {
    auto options = at::TensorOptions().dtype(static_cast<c10::ScalarType>(dtype));
    auto made = at::empty(c10::IntArrayRef(shape, rank), options);
    if (made.nbytes() > 0) std::memcpy(made.mutable_data_ptr(), bytes, made.nbytes());
    *out = boxed(std::move(made));
  });
}

char *px_tensor_borrowing(const void *bytes, int32_t dtype, const int64_t *shape, int64_t rank,
                          void *context, void (*release)(void *), px_object **out) {
  return guarded([&] {
    auto options = at::TensorOptions().dtype(static_cast<c10::ScalarType>(dtype));
    *out = boxed(at::from_blob(const_cast<void *>(bytes), c10::IntArrayRef(shape, rank),
                               [context, release](void *) { release(context); }, options));
  });
}

char *px_tensor_read(const px_object *object, void *destination, int64_t count) {
  return guarded([&] {
    c10::AutoGradMode mode(false);
    at::Tensor source = tensor(object);
    if (source.is_mkldnn()) source = source.to_dense();
    source = source.detach().to(at::kCPU).contiguous();
    TORCH_CHECK(static_cast<int64_t>(source.nbytes()) == count, "expected room for ",
                source.nbytes(), " bytes, found ", count);
    if (count > 0) std::memcpy(destination, source.const_data_ptr(), count);
  });
}

int64_t px_tensor_rank(const px_object *object) { return tensor(object).dim(); }
void px_tensor_shape(const px_object *object, int64_t *out) {
  auto sizes = tensor(object).sizes();
  for (size_t i = 0; i < sizes.size(); ++i) out[i] = sizes[i];
}
int32_t px_tensor_dtype(const px_object *object) {
  return static_cast<int32_t>(tensor(object).scalar_type());
}
void px_tensor_device(const px_object *object, int32_t *type, int32_t *index) {
  auto device = tensor(object).device();
  *type = static_cast<int32_t>(device.type());
  *index = device.index();
}
bool px_tensor_is_mkldnn(const px_object *object) { return tensor(object).is_mkldnn(); }

px_object *px_tensor_leaf(const px_object *object) {
  auto leaf = tensor(object).detach();
  leaf.set_requires_grad(true);
  return boxed(std::move(leaf));
}
void px_grad_mode_set(bool enabled) { grad_enabled = enabled; }
bool px_grad_mode(void) { return grad_enabled; }

char *px_gradients(const px_object *output, const px_object *seed, px_object *const *inputs,
                   int64_t count, bool keep_graph, px_object **out) {
  return guarded([&] {
    // What depends on no input at all is a constant.
    if (!tensor(output).requires_grad()) {
      std::fill(out, out + count, nullptr);
      return;
    }
    torch::autograd::variable_list leaves, seeds;
    for (int64_t i = 0; i < count; ++i) leaves.push_back(tensor(inputs[i]));
    if (seed) seeds.push_back(tensor(seed));
    c10::AutoGradMode mode(true);
    auto gradients = torch::autograd::grad({tensor(output)}, leaves, seeds, keep_graph,
                                           /*create_graph=*/false, /*allow_unused=*/true);
    for (int64_t i = 0; i < count; ++i)
      out[i] = gradients[i].defined() ? boxed(gradients[i]) : nullptr;
  });
}

char *px_forward_begin(void) {
  return guarded([&] {
    TORCH_CHECK(!forward_enabled, "a forward derivative within a forward derivative is not supported");
    std::lock_guard<std::mutex> guard(forward_lock);
    if (forward_count == 0) forward_level = torch::autograd::ForwardADLevel::get_next_idx();
    forward_count += 1;
    forward_enabled = true;
  });
}
void px_forward_end(void) {
  std::lock_guard<std::mutex> guard(forward_lock);
  forward_enabled = false;
  forward_count -= 1;
  if (forward_count == 0) torch::autograd::ForwardADLevel::release_idx(forward_level);
}
bool px_forward_mode(void) { return forward_enabled; }

char *px_tensor_dual(const px_object *object, const px_object *tangent, px_object **out) {
  return guarded([&] {
    c10::AutoGradMode mode(false);
    // A value of its own: what carries a tangent must not share it with the caller's tensor.
    auto value = tensor(object).detach();
    *out = boxed(at::_make_dual(value, tensor(tangent), static_cast<int64_t>(forward_level)));
  });
}

char *px_tensor_parts(const px_object *object, px_object **value, px_object **tangent) {
  return guarded([&] {
    c10::AutoGradMode mode(false);
    auto [own, along] = at::_unpack_dual(tensor(object), static_cast<int64_t>(forward_level));
    *value = boxed(own.detach());
    *tangent = along.defined() ? boxed(along) : nullptr;
  });
}

px_object *px_generator(uint64_t seed) {
  return boxed(IValue(at::Generator(at::detail::createCPUGenerator(seed))));
}

void px_threads_set(int32_t count) { at::set_num_threads(count); }
int32_t px_threads(void) { return at::get_num_threads(); }

void px_memory_keep(void) {
#ifdef __GLIBC__
  // Large blocks come from the one heap instead of a mapping each, and stay there when freed.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_ARENA_MAX, 1);
#endif
}

char *px_device_check(const char *device) {
  return guarded([&] {
    c10::Device wanted{std::string(device)};
    TORCH_CHECK(!wanted.is_cpu() || wanted.index() <= 0, "there is only one cpu");
    // Numbers have to come back, which they do not from a device such as `meta`.
    at::empty({1}, at::TensorOptions().device(wanted)).to(at::kCPU);
  });
}
char *px_device_synchronize(int32_t type, int32_t index) {
  return guarded([&] {
    if (type == 0) return;
    c10::impl::VirtualGuardImpl guard(static_cast<c10::DeviceType>(type));
    guard.synchronizeDevice(static_cast<c10::DeviceIndex>(index < 0 ? 0 : index));
  });
}
