/* Fails without saying why. */
#include "broken.h"

static dtrp_status predict(void *data, const dtrp_context *context, const dtrp_views *views, const dtrp_tensor *out) {
  (void)data, (void)context, (void)views, (void)out;
  return DTRP_ERROR;
}
