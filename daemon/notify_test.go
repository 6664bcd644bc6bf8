package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// TestNotifyUnread is a systemd that does not read for a while. It stops
// nobody; that the service is ready and stops it hears if it reads soon.
func TestNotifyUnread(t *testing.T) {
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	systemd, err := net.ListenUnixgram("unixgram", address)
	must(t, err)
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", address.Name)
	hear := func() string {
		t.Helper()
		b := make([]byte, 256)
		must(t, systemd.SetReadDeadline(time.Now().Add(patience)))
		n, err := systemd.Read(b)
		must(t, err)
		return string(b[:n])
	}

	notify("STATUS=is heard")
	if s := hear(); s != "STATUS=is heard" {
		t.Errorf("heard %q", s)
	}

	// Others have filled the socket.
	other, err := net.DialUnix("unixgram", nil, address)
	must(t, err)
	defer other.Close()
	for err == nil {
		must(t, other.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		_, err = other.Write([]byte("STATUS=other"))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	for _, state := range []string{"STATUS=is lost", sd.SdNotifyWatchdog, sd.SdNotifyReady, sd.SdNotifyStopping} {
		notify(state) // returns, or this test does not end
	}

	waits := make(chan struct{})
	go func() {
		defer close(waits)
		notify(sd.SdNotifyReady)
	}()
	for s := hear(); s != sd.SdNotifyReady; s = hear() {
		if s != "STATUS=other" {
			t.Errorf("there was room for %q", s)
		}
	}
	<-waits
}
