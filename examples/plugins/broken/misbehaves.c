/* Misbehaves in the way that BROKEN_WAY names, in `rule`, `predict`, `observe` and `feedback` only after BROKEN_AFTER calls of
 * `rule` (20 unless it is set), so that it looks sound when it is tried out. Where it hangs or spins it first makes the file
 * BROKEN_MARK, if that is set. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dtrp_predictor.h"

static const dtrp_host *host;
static atomic_long calls;

static int way(const char *name) {
  const char *chosen = getenv("BROKEN_WAY");
  return chosen && strcmp(chosen, name) == 0;
}

static int late(void) {
  const char *after = getenv("BROKEN_AFTER");
  return calls > (after ? atol(after) : 20);
}

static void hang(void) {
  const char *mark = getenv("BROKEN_MARK");
  FILE *file = mark ? fopen(mark, "w") : NULL;
  if (file) fclose(file);
  for (;;) sleep(1000);
}

static void spin(void) {
  const char *mark = getenv("BROKEN_MARK");
  FILE *file = mark ? fopen(mark, "w") : NULL;
  if (file) fclose(file);
  for (volatile long i = 0;; i++) {
  }
}

static dtrp_status refuse(const char *why) {
  host->set_error(why, strlen(why));
  return DTRP_ERROR;
}

static void *leaves(void *data) {
  (void)data;
  exit(0);
}

/* Far more than the stack of a thread. The compiler may not know that it does not end. */
static int deeper(volatile int *depth) {
  volatile char room[1 << 16];
  room[0] = (char)*depth;
  *depth = *depth + 1;
  return *depth > 0 ? deeper(depth) + room[0] : 0;
}

static dtrp_status rule(void *data, const dtrp_context *context, dtrp_rule *out) {
  (void)data;
  ++calls;
  out->kind = DTRP_CUSTOM;
  if (!late()) return DTRP_OK;
  volatile int zero = 0;
  if (way("rule_hang")) hang();
  if (way("rule_spin")) spin();
  if (way("rule_exit")) exit(0);
  if (way("rule_exit_3")) exit(3);
  if (way("rule_quick_exit")) _exit(0);
  if (way("rule_thread_exit")) {
    pthread_t thread;
    pthread_create(&thread, NULL, leaves, NULL);
    sleep(10);
  }
  if (way("rule_segv")) *(volatile int *)8 = 1;
  if (way("rule_abort")) abort();
  if (way("rule_divide")) zero = 1 / zero;
  if (way("rule_stack")) deeper(&zero);
  if (way("rule_close"))
    for (int file = 0; file < 64; file++) close(file);
  if (way("rule_status")) return refuse("no more");
  if (way("rule_unknown_status")) return 999;
  if (way("rule_kind")) out->kind = 77;
  if (way("rule_folder") && chdir("/")) return DTRP_ERROR;
  if (way("rule_rates")) ((double *)context->learning_rates)[0] = 1e30;
  out->kind = way("rule_nan") || way("rule_huge") ? DTRP_LINEAR : out->kind;
  if (way("rule_nan")) out->weights = NAN;
  if (way("rule_huge")) out->weights = 1e300;
  return DTRP_OK;
}

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context;
  const int64_t length = out->shape[0];
  float *to = out->data;
  float *weights = views->weights->data;
  const int64_t left = late() && way("predict_short") && length > 0;
  memcpy(to, weights, (size_t)(length - left) * sizeof(float));
  if (!late() || length == 0) return DTRP_OK;
  if (way("predict_hang")) hang();
  if (way("predict_exit")) exit(0);
  if (way("predict_nan")) to[length / 2] = NAN;
  if (way("predict_infinity")) to[length - 1] = INFINITY;
  if (way("predict_writes_weights")) memset(weights, 0, (size_t)length * sizeof(float));
  if (way("predict_status")) return DTRP_UNSUPPORTED;
  return DTRP_OK;
}

static dtrp_status observe(void *data, const dtrp_context *context, const dtrp_views *views) {
  (void)data, (void)context;
  if (!late()) return DTRP_OK;
  if (way("observe_hang")) hang();
  if (way("observe_status")) return refuse("enough seen");
  if (way("observe_writes_weights")) ((float *)views->weights->data)[0] = 0.5f;
  return DTRP_OK;
}

static dtrp_status feedback(void *data, const dtrp_probe *probe) {
  (void)data, (void)probe;
  return late() && way("feedback_status") ? refuse("enough heard") : DTRP_OK;
}

static void destroy(void *data) {
  if (way("destroy_hang") && late()) hang();
  free(data);
}

static dtrp_status create(const dtrp_host *from, const char *id, size_t id_size, const char *options, size_t options_size,
                          const dtrp_predictor **predictor) {
  (void)options;
  host = from;
  if (way("create_hang")) hang();
  if (way("create_exit")) exit(0);
  if (way("create_null")) return DTRP_OK;
  static const char own[] = "org.example.misbehaves";
  if (id_size != sizeof(own) - 1 || memcmp(id, own, id_size) != 0 || options_size == 1 || options_size > 2) {
    refuse("no such predictor or option");
    return DTRP_INVALID_OPTION;
  }
  dtrp_predictor *table = calloc(1, sizeof(*table));
  if (!table) return DTRP_ERROR;
  table->struct_size = way("create_short") ? 3 : sizeof(*table);
  table->data = table;
  table->destroy = destroy;
  table->rule = way("create_without_rule") ? NULL : rule;
  table->predict = predict;
  table->observe = observe;
  table->feedback = feedback;
  *predictor = table;
  return DTRP_OK;
}

static uint32_t count(void) {
  if (way("count_hang")) hang();
  if (way("count_exit")) exit(0);
  if (way("count_none")) return 0;
  return way("count_all") ? UINT32_MAX : 1;
}

static const dtrp_descriptor *descriptor(uint32_t index) {
  static const dtrp_descriptor only = {
      .struct_size = sizeof(dtrp_descriptor),
      .id = DTRP_TEXT("org.example.misbehaves"),
      .version = DTRP_TEXT("1.0.0"),
      .description = DTRP_TEXT("misbehaves on purpose"),
      .licence = DTRP_TEXT("MIT OR Apache-2.0"),
      .kind = DTRP_CUSTOM,
      .devices = DTRP_ON_CPU,
      .dtypes = DTRP_IN_F32,
  };
  (void)index;
  if (way("descriptor_hang")) hang();
  return way("descriptor_null") ? NULL : &only;
}

__attribute__((constructor)) static void loaded(void) {
  if (way("load_hang")) hang();
  if (way("load_exit")) exit(0);
  if (way("load_quick_exit")) _exit(0);
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
