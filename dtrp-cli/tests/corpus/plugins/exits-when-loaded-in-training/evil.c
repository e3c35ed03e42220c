/* Before anything is asked of it. */
#include <stdlib.h>
__attribute__((constructor)) static void begin(void) { exit(0); }
int nothing(void);
int nothing(void) { return 0; }
