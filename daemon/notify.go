package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// How long systemd may take to read. It takes a service for one that hangs if
// it misses that it is ready or stops; the rest it may miss.
const (
	notifyPatience = 2 * time.Second
	notifyGlimpse  = 10 * time.Millisecond
)

// notify tells systemd how the service is (sd_notify(3)); without systemd it
// does nothing. A systemd that does not read is not waited for: package sd
// would do so without end.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	patience := notifyGlimpse
	if state == sd.SdNotifyReady || state == sd.SdNotifyStopping {
		patience = notifyPatience
	}
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = conn.Write([]byte(state))
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
