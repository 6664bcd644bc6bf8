package publish

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is a conn to somebody who reads only when the test does.
func pipe(t *testing.T) (*conn, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw.(*net.TCPConn).SetWriteBuffer(64 << 10)
	peer.(*net.TCPConn).SetReadBuffer(64 << 10)
	c := newConn(raw, raw, nil)
	t.Cleanup(func() { c.Close(); peer.Close() })
	return c, peer.(*net.TCPConn)
}

// Much more than the system's buffers take is written without waiting, and arrives.
func TestConnDoesNotBlock(t *testing.T) {
	leaks(t)
	c, peer := pipe(t)
	var want bytes.Buffer
	for i := range 200 {
		b := bytes.Repeat([]byte{byte(i)}, 10_000)
		want.Write(b)
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
	}
	if c.buffered() == 0 {
		t.Error("all is sent, though nobody reads")
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Fatal("something else arrives", err)
	}
}

// Close still sends what was written, unless nobody takes it.
func TestConnClose(t *testing.T) {
	leaks(t)
	c, peer := pipe(t)
	c.Write([]byte("good-bye"))
	c.Close()
	if got, err := io.ReadAll(peer); err != nil || string(got) != "good-bye" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := c.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	c.Close()

	c, _ = pipe(t)
	c.Write(make([]byte, 5<<20))
	c.Close() // does not wait for ever
}

// Whoever reads is told why the connection was given up.
func TestConnAbort(t *testing.T) {
	leaks(t)
	c, _ := pipe(t)
	why := errors.New("why")
	read := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	c.abort(why)
	select {
	case err := <-read:
		if !errors.Is(err, why) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Read does not end")
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, why) {
		t.Error(err)
	}
}

// deafen has a TCP connection take nothing in any more, not even acknowledge it, as if its machine had gone: the kernel throws all
// segments away.
func deafen(t *testing.T, c net.Conn) {
	t.Helper()
	control(t, c, func(fd int) error {
		nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
}

func control(t *testing.T, c net.Conn, do func(fd int) error) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = do(int(fd)) })
	if err != nil {
		t.Fatal(err)
	}
}

// A peer that has gone without a word is noticed, whether it owes us an acknowledgement or nothing; one that is slow is waited for.
func TestSilence(t *testing.T) {
	leaks(t)
	const silence = 3 * time.Second // the kernel counts whole seconds
	for name, test := range map[string]func(*testing.T, *conn, net.Conn){
		"gone while idle": func(t *testing.T, _ *conn, peer net.Conn) {
			deafen(t, peer)
		},
		"gone before it acknowledges": func(t *testing.T, c *conn, peer net.Conn) {
			deafen(t, peer)
			c.Write([]byte("is there anybody?"))
		},
		"slow": func(t *testing.T, c *conn, peer net.Conn) {
			const size = 4 << 20
			c.Write(make([]byte, size))
			for began, took := time.Now(), 0; took < size; {
				n, err := peer.Read(make([]byte, 16<<10))
				if took += n; err != nil {
					t.Errorf("broken off after %d of %d bytes and %v: %v", took, size, time.Since(began), err)
					return
				}
				if time.Since(began) < 2*silence { // a slow link
					time.Sleep(100 * time.Millisecond)
				}
			}
			deafen(t, peer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			raw, err := dialer(silence).Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c := newConn(raw, raw, nil)
			defer c.Close()
			peer, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			read := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				read <- err
			}()
			test(t, c, peer)
			began := time.Now()
			select {
			case err := <-read:
				if !errors.Is(err, syscall.ETIMEDOUT) || explain(err).Error() != "the broker does not answer" {
					t.Errorf("after %v: %v: %v", time.Since(began), err, explain(err))
				}
			case <-time.After(patience):
				t.Error("nobody notices")
			}
		})
	}
}

func TestDialedSilence(t *testing.T) {
	leaks(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, release, err := dial(context.Background(), &url.URL{Scheme: "tcp", Host: ln.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer release()
	for option, want := range map[int]int{unix.TCP_USER_TIMEOUT: 15_000, unix.TCP_KEEPIDLE: 10, unix.TCP_KEEPINTVL: 5, unix.TCP_KEEPCNT: 2} {
		control(t, c.raw, func(fd int) error {
			got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option)
			if got != want {
				t.Errorf("socket option %d is %d, not %d", option, got, want)
			}
			return err
		})
	}
}
