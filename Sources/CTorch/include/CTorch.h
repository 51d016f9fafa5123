/* The boundary to libtorch: any operator by name through the boxed dispatcher, and what the
   dispatcher does not offer (lifetime, host memory, gradients, threads, devices).

   No C++ exception crosses it. A function that can fail returns NULL, or a message on one line that
   the caller frees with px_free. */
#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor, or another boxed value that only operators understand (a packed weight, a generator).
   Reference counted inside; immutable for us. */
typedef struct px_object px_object;
/* The arguments of one call, then its results. */
typedef struct px_stack px_stack;

void px_free(char *message);
void px_object_free(px_object *object);
const char *px_libtorch_version(void);

/* Operators. -1: there is none of that name and overload. */
int64_t px_operator(const char *name, const char *overload);
/* The schema of an operator, on one line. The caller frees it. */
char *px_operator_schema(int64_t op);
int64_t px_operator_argument_count(int64_t op);
/* The caller frees it. */
char *px_operator_argument_name(int64_t op, int64_t index);
/* 0: read; 1: a result may share its memory; 2: written to. */
int32_t px_operator_argument_alias(int64_t op, int64_t index);

px_stack *px_stack_new(int64_t op);
void px_stack_free(px_stack *stack);
/* Arguments in the schema's order; those not pushed take their defaults. */
void px_push_none(px_stack *stack);
void px_push_default(px_stack *stack);
void px_push_object(px_stack *stack, const px_object *object);
void px_push_int(px_stack *stack, int64_t value);
void px_push_double(px_stack *stack, double value);
void px_push_bool(px_stack *stack, bool value);
void px_push_string(px_stack *stack, const char *value);
void px_push_ints(px_stack *stack, const int64_t *values, int64_t count);
void px_push_doubles(px_stack *stack, const double *values, int64_t count);
void px_push_bools(px_stack *stack, const bool *values, int64_t count);
/* A list is begun, then that many tensors (or nones) are pushed. */
void px_push_list(px_stack *stack, int64_t count);
char *px_stack_call(px_stack *stack);
/* Results; a list of tensors is spread. Kinds: 0 none, 1 tensor, 2 int, 3 double, 4 bool, 5 other. */
int64_t px_result_count(const px_stack *stack);
int32_t px_result_kind(const px_stack *stack, int64_t index);
px_object *px_result_object(const px_stack *stack, int64_t index);
int64_t px_result_int(const px_stack *stack, int64_t index);
double px_result_double(const px_stack *stack, int64_t index);

/* Tensors and host memory. dtype is c10::ScalarType's number. */
char *px_tensor_copying(const void *bytes, int32_t dtype, const int64_t *shape, int64_t rank,
                        px_object **out);
/* Borrows the memory until the last view of it is gone, then calls release(context). */
char *px_tensor_borrowing(const void *bytes, int32_t dtype, const int64_t *shape, int64_t rank,
                          void *context, void (*release)(void *), px_object **out);
/* Writes the elements in row-major order; count is the number of bytes of room. */
char *px_tensor_read(const px_object *tensor, void *destination, int64_t count);
int64_t px_tensor_rank(const px_object *tensor);
void px_tensor_shape(const px_object *tensor, int64_t *out);
int32_t px_tensor_dtype(const px_object *tensor);
/* 0 cpu, 1 cuda, 13 mps, as c10::DeviceType; the index is -1 where there is none. */
void px_tensor_device(const px_object *tensor, int32_t *type, int32_t *index);
bool px_tensor_is_mkldnn(const px_object *tensor);

/* Gradients. */
px_object *px_tensor_leaf(const px_object *tensor);
void px_grad_mode_set(bool enabled);
bool px_grad_mode(void);
/* d output / d inputs (output holds one number, or seed has its shape); a tensor that the output does
   not depend on gets NULL. */
char *px_gradients(const px_object *output, const px_object *seed, px_object *const *inputs,
                   int64_t count, bool keep_graph, px_object **out);

/* Forward-mode derivatives: between begin and end this thread's tensors may carry a tangent. All threads
   share libtorch's one level, which goes with the last of them. Nested, it fails. */
char *px_forward_begin(void);
void px_forward_end(void);
bool px_forward_mode(void);
/* A tensor with the same numbers that carries a tangent of its shape. */
char *px_tensor_dual(const px_object *tensor, const px_object *tangent, px_object **out);
/* The numbers alone, and the tangent; NULL where there is none. */
char *px_tensor_parts(const px_object *tensor, px_object **value, px_object **tangent);

/* A source of random numbers of its own: nothing global. */
px_object *px_generator(uint64_t seed);

void px_threads_set(int32_t count);
int32_t px_threads(void);
/* Keeps freed host memory for the next tensor. */
void px_memory_keep(void);
/* NULL when the device can be used. */
char *px_device_check(const char *device);
char *px_device_synchronize(int32_t type, int32_t index);

#ifdef __cplusplus
}
#endif
#endif
