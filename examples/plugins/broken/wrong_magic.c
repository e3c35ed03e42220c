/* Its entry begins with something else. */
#define BROKEN_MAGIC {'C', 'L', 'A', 'P', 'C', 'L', 'A', 'P'}
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context;
  copy(views, out, out->shape[0]);
  return DTRP_OK;
}
