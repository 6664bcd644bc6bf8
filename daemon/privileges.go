package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// noCoreDumps keeps passwords out of core dumps, however this program is
// started. The limit alone is not enough: a kernel that hands cores to a
// program (systemd-coredump, apport) does so whatever it is; so no part of
// memory shall be in one. Not PR_SET_DUMPABLE: it would hide the daemon's
// open files from the user whose it is.
func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := os.WriteFile("/proc/self/coredump_filter", []byte("0"), 0); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("keep memory out of core dumps: %w", err)
	}
	return nil
}
