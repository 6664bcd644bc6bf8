package publish

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
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
	c := newConn(raw, raw)
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
