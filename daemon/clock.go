package main

import (
	"os"

	"golang.org/x/sys/unix"

	"tarsier/pipeline"
)

// maxClockError is the error in microseconds from which the kernel's clock
// counts as not set; systemd-timedated takes the same.
const maxClockError = 16_000_000

// clockState says whether something has set the system clock since boot: a
// Raspberry Pi has no clock of its own.
func clockState() string {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err == nil {
		if t.Maxerror < maxClockError {
			return pipeline.Synced
		}
		return pipeline.Unsynced
	}
	if _, err := os.Stat("/run/systemd/timesync/synchronized"); err == nil {
		return pipeline.Synced
	}
	return pipeline.Unsynced
}
