/* Before anything is asked of it. */
__attribute__((constructor)) static void begin(void) { *(volatile int *)8 = 1; }
int nothing(void);
int nothing(void) { return 0; }
