package pipeline

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Moment is when something happened, by two clocks: Time by the system clock, which may be wrong and which somebody may set
// meanwhile, and Uptime since the machine started, which goes on evenly. What lasts is measured by the second.
type Moment struct {
	Time   time.Time
	Uptime time.Duration
}

// A Clock tells both times.
type Clock struct {
	Now    func() time.Time
	Uptime func() time.Duration
	Boot   string      // tells one start of the machine from another; "": not known
	Synced func() bool // whether the system clock has been set; nil: it is taken for granted
}

// SystemClock is the kernel's; synced as in Clock.
func SystemClock(synced func() bool) Clock {
	return Clock{Now: time.Now, Uptime: uptime, Boot: BootID(), Synced: synced}
}

// At gives the moment of a time that Now gave not long ago.
func (c Clock) At(t time.Time) Moment {
	return Moment{Time: t, Uptime: c.Uptime() - c.Now().Sub(t)}
}

// State is what an Event says of the clock: Synced or Unsynced.
func (c Clock) State() string {
	if c.Synced == nil || c.Synced() {
		return Synced
	}
	return Unsynced
}

func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("no boot-time clock: " + err.Error()) // every Linux since 2.6.39 has it
	}
	return time.Duration(t.Nano())
}

// BootID tells one start of the machine from another: the kernel's boot_id, which a service that does not see it
// (ProcSubset=pid) has from systemd; "" if it is not known.
var BootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		b = []byte(os.Getenv("BOOT_ID"))
	}
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
})
