/* Writes its forecast, and into the weights too. */
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context;
  copy(views, out, out->shape[0]);
  if (out->shape[0] > 0) ((float *)views->weights->data)[0] = 1.0f;
  return DTRP_OK;
}
