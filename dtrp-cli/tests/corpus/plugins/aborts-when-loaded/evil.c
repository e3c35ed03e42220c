/* Before anything is asked of it. */
#include <stdlib.h>
__attribute__((constructor)) static void begin(void) { abort(); }
int nothing(void);
int nothing(void) { return 0; }
