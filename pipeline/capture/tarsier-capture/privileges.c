#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

// What is allowed already may be less, and stays.
static void limit(int resource, rlim_t most) {
	struct rlimit l;
	if (getrlimit(resource, &l) != 0 || l.rlim_max <= most) return;
	l.rlim_cur = l.rlim_max = most;
	setrlimit(resource, &l);
}

// What decodes a stranger's pictures shall never become more than it is, nor grow without end, whoever started it. Some of it must
// be said in each thread, so it is said before there are others: they have it from this one.
__attribute__((constructor)) static void lock_in(void) {
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	// Twice what a 4K stream takes: 535 MB, in which each thread's stack counts whole. Beyond it there is no memory: the program
	// ends, and tarsier starts another.
	limit(RLIMIT_DATA, (rlim_t)1 << 30);
	limit(RLIMIT_NOFILE, 256);
	// A core would hold pictures and passwords. Where a program takes cores, the limit does not hold: no memory is in them either.
	limit(RLIMIT_CORE, 0);
	int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	if (filter < 0) return;
	if (write(filter, "0", 1) < 0) {} // there is nobody to tell
	close(filter);
}
