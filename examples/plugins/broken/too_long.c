/* Writes one element more than there is. */
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context;
  const int64_t length = out->shape[0];
  copy(views, out, length);
  ((float *)out->data)[length] = 1.0f;
  return DTRP_OK;
}
