/* Its entry is too short to hold what the first version of the interface had. */
#define BROKEN_SIZE 24
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context;
  copy(views, out, out->shape[0]);
  return DTRP_OK;
}
