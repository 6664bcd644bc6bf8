package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// notify tells systemd how the service is (sd_notify(3)); without systemd it
// does nothing.
func notify(state string) {
	_, _ = sd.SdNotify(false, state)
}

func notifyStatus(format string, args ...any) {
	notify("STATUS=" + fmt.Sprintf(format, args...))
}

// notifyReloading begins a reload; READY=1 ends it.
func notifyReloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// feedWatchdog tells systemd that the daemon lives, for as long as alive
// returns in time: it goes through whatever must never hang.
func feedWatchdog(ctx context.Context, log *slog.Logger, alive func(context.Context) error) {
	limit, err := sd.SdWatchdogEnabled(false)
	if err != nil || limit == 0 {
		return
	}
	tick := time.NewTicker(limit / 4)
	defer tick.Stop()
	for {
		check, cancel := context.WithTimeout(ctx, limit/2)
		err := alive(check)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("not feeding the watchdog: the daemon does not turn", "error", err)
		default:
			notify(sd.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
