/* What the broken plug-ins share: everything that is right about them. Each defines what is wrong before or after
 * including this. */
#ifndef BROKEN_H
#define BROKEN_H

#include <stdlib.h>
#include <string.h>

#include "dtrp_predictor.h"

#ifndef BROKEN_MAGIC
#define BROKEN_MAGIC DTRP_MAGIC
#endif
#ifndef BROKEN_MAJOR
#define BROKEN_MAJOR DTRP_ABI_MAJOR
#endif
#ifndef BROKEN_SIZE
#define BROKEN_SIZE sizeof(dtrp_entry)
#endif

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out);

static void destroy(void *data) { free(data); }

static dtrp_status rule(void *data, const dtrp_context *context, dtrp_rule *out) {
  (void)data, (void)context;
  out->kind = DTRP_CUSTOM;
  return DTRP_OK;
}

static dtrp_status create(const dtrp_host *host, const char *id, size_t id_size, const char *options,
                          size_t options_size, const dtrp_predictor **predictor) {
  static const char why[] = "no such predictor or option";
  (void)id, (void)options;
  if (id_size != sizeof("org.example.broken") - 1 || options_size > 2) {
    host->set_error(why, sizeof(why) - 1);
    return DTRP_INVALID_OPTION;
  }
  dtrp_predictor *table = calloc(1, sizeof(*table));
  if (!table) return DTRP_ERROR;
  table->struct_size = sizeof(*table);
  table->data = table;
  table->destroy = destroy;
  table->rule = rule;
  table->predict = predict;
  *predictor = table;
  return DTRP_OK;
}

static uint32_t count(void) { return 1; }

static const dtrp_descriptor *descriptor(uint32_t index) {
  static const dtrp_descriptor only = {
      .struct_size = sizeof(dtrp_descriptor),
      .id = DTRP_TEXT("org.example.broken"),
      .version = DTRP_TEXT("1.0.0"),
      .description = DTRP_TEXT("broken on purpose"),
      .licence = DTRP_TEXT("MIT OR Apache-2.0"),
      .kind = DTRP_CUSTOM,
      .devices = DTRP_ON_CPU,
      .dtypes = DTRP_IN_F32,
  };
  return index == 0 ? &only : NULL;
}

const dtrp_entry dtrp_predictor_entry = {
    .magic = BROKEN_MAGIC,
    .abi_major = BROKEN_MAJOR,
    .abi_minor = DTRP_ABI_MINOR,
    .struct_size = BROKEN_SIZE,
    .count = count,
    .descriptor = descriptor,
    .create = create,
};

/* Writes `length` of the weights to the output. */
static inline void copy(const dtrp_views *views, const dtrp_tensor *out, int64_t length) {
  if (length > 0) memcpy(out->data, views->weights->data, (size_t)length * sizeof(float));
}

#endif
