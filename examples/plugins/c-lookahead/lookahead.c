/* A custom predictor in C11: looks ahead along the optimizer's direction, but moves no parameter further than a limit.
 *
 *     W' = w - clamp((sum of learning rates) * d, -limit, limit)
 *
 * One option: {"limit": 0.01}, a number above 0.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtrp_predictor.h"

static const char ID[] = "org.example.c-lookahead";

typedef struct lookahead {
  dtrp_predictor table; /* what the host sees */
  const dtrp_host *host;
  double limit;
} lookahead;

static dtrp_status fail(const dtrp_host *host, dtrp_status status, const char *text) {
  host->set_error(text, strlen(text));
  return status;
}

static void destroy(void *data) { free(data); }

static dtrp_status rule(void *data, const dtrp_context *context, dtrp_rule *out) {
  (void)data;
  /* Horizon 0 is the linear rule that the host has filled in: W' = w. */
  if (context->horizon > 0) out->kind = DTRP_CUSTOM;
  return DTRP_OK;
}

static const void *start(const dtrp_tensor *tensor) { return (const char *)tensor->data + tensor->byte_offset; }

/* One loop for each number type. */
#define DEFINE_LOOK(T, NAME)                                                                     \
  static void NAME(double rate, double limit, size_t n, const T *w, const T *d, T *out) {        \
    for (size_t i = 0; i < n; i++) {                                                             \
      double step = d ? rate * (double)d[i] : 0.0;                                               \
      step = step > limit ? limit : step < -limit ? -limit : step;                               \
      out[i] = (T)((double)w[i] - step);                                                         \
    }                                                                                            \
  }
DEFINE_LOOK(float, look_f32)
DEFINE_LOOK(double, look_f64)

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  const lookahead *self = data;
  if (out->device.type != DTRP_CPU) return fail(self->host, DTRP_UNSUPPORTED, "only the CPU is supported");
  double rate = 0.0;
  for (uint32_t i = 0; i < context->horizon; i++) rate += context->learning_rates[i];
  const size_t n = (size_t)out->shape[0];
  /* Before the first update there is no direction. */
  const void *w = start(views->weights), *d = views->direction ? start(views->direction) : NULL;
  char *to = (char *)out->data + out->byte_offset;
  if (out->dtype.bits == 32)
    look_f32(rate, self->limit, n, w, d, (void *)to);
  else
    look_f64(rate, self->limit, n, w, d, (void *)to);
  return DTRP_OK;
}

/* Reads {} or {"limit": NUMBER}; a real plug-in would use a JSON library. Returns 0 if it is neither. */
static int read_limit(const char *text, size_t size, double *limit) {
  char copy[128];
  if (size >= sizeof(copy)) return 0;
  /* Without white space, and ended by a zero. */
  size_t n = 0;
  for (size_t i = 0; i < size; i++)
    if (!isspace((unsigned char)text[i])) copy[n++] = text[i];
  copy[n] = 0;
  static const char key[] = "{\"limit\":";
  if (n == 0 || strcmp(copy, "{}") == 0) return 1;
  if (strncmp(copy, key, sizeof(key) - 1) != 0) return 0;
  char *end;
  *limit = strtod(copy + sizeof(key) - 1, &end);
  return strcmp(end, "}") == 0 && isfinite(*limit) && *limit > 0.0;
}

static dtrp_status create(const dtrp_host *host, const char *id, size_t id_size, const char *options,
                          size_t options_size, const dtrp_predictor **predictor) {
  if (id_size != sizeof(ID) - 1 || memcmp(id, ID, id_size) != 0)
    return fail(host, DTRP_UNKNOWN_PREDICTOR, "there is only org.example.c-lookahead");
  double limit = 0.01;
  if (!read_limit(options, options_size, &limit))
    return fail(host, DTRP_INVALID_OPTION, "the only option is \"limit\", a number above 0");
  lookahead *self = malloc(sizeof(*self));
  if (!self) return fail(host, DTRP_ERROR, "out of memory");
  *self = (lookahead){
      .table = {.struct_size = sizeof(dtrp_predictor),
                .data = self,
                .inputs = DTRP_READS_DIRECTION,
                .destroy = destroy,
                .rule = rule,
                .predict = predict},
      .host = host,
      .limit = limit,
  };
  char line[64];
  const int size = snprintf(line, sizeof(line), "no parameter moves further than %g", limit);
  host->log(DTRP_LOG_DEBUG, line, (size_t)size);
  *predictor = &self->table;
  return DTRP_OK;
}

static uint32_t count(void) { return 1; }

static const dtrp_descriptor *descriptor(uint32_t index) {
  static const dtrp_descriptor only = {
      .struct_size = sizeof(dtrp_descriptor),
      .id = {ID, sizeof(ID) - 1},
      .version = DTRP_TEXT("0.1.0"),
      .description = DTRP_TEXT("momentum's look-ahead, with a limit on how far one parameter moves"),
      .formula = DTRP_TEXT("W' = w - clamp((sum of rates) * d, -limit, limit)"),
      .licence = DTRP_TEXT("MIT OR Apache-2.0"),
      .options_schema = DTRP_TEXT("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
                                  "{\"limit\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"default\":0.01}}}"),
      .kind = DTRP_CUSTOM,
      .devices = DTRP_ON_CPU,
      .dtypes = DTRP_IN_F32 | DTRP_IN_F64,
  };
  return index == 0 ? &only : NULL;
}

const dtrp_entry dtrp_predictor_entry = {
    .magic = DTRP_MAGIC,
    .abi_major = DTRP_ABI_MAJOR,
    .abi_minor = DTRP_ABI_MINOR,
    .struct_size = sizeof(dtrp_entry),
    .count = count,
    .descriptor = descriptor,
    .create = create,
};
