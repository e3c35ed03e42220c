/* Forecasts something else every time. Only the conformance check looks for this. */
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  static _Atomic int calls;
  (void)data;
  copy(views, out, out->shape[0]);
  if (context->horizon > 0 && out->shape[0] > 0) ((float *)out->data)[0] = (float)++calls;
  return DTRP_OK;
}
