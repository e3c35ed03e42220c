/* Does not give the weights for horizon 0. Only the conformance check looks for this: a host does not ask. */
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context;
  copy(views, out, out->shape[0]);
  for (int64_t i = 0; i < out->shape[0]; i++) ((float *)out->data)[i] *= 0.5f;
  return DTRP_OK;
}
