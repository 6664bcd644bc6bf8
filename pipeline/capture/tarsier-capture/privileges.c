#include <sys/prctl.h>

// What decodes a stranger's pictures shall never become more than it is. It must be said in each thread, so it is said before there
// are others: they have it from this one.
__attribute__((constructor)) static void no_new_privileges(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
