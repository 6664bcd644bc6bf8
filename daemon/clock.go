package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// maxClockError is the error in microseconds from which the kernel's clock
// counts as not set; systemd-timedated takes the same.
const maxClockError = 16_000_000

// clockSynced says whether something has set the system clock since boot: a
// Raspberry Pi has no clock of its own.
func clockSynced() bool {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err == nil {
		return t.Maxerror < maxClockError
	}
	_, err := os.Stat("/run/systemd/timesync/synchronized")
	return err == nil
}
