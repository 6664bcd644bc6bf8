package publish

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	}, name)
	a.file = filepath.Join(a.dir, name+".crt")
	return a
}

// make makes a certificate and its key, as files called name.crt and name.key.
func (a *authority) make(c *x509.Certificate, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	fail := func(err error) {
		a.t.Helper()
		if err != nil {
			a.t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore = time.Now().Add(-2 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	fail(err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	fail(err)
	fail(os.WriteFile(filepath.Join(a.dir, name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	fail(os.WriteFile(filepath.Join(a.dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	made, err := x509.ParseCertificate(der)
	fail(err)
	return made, key
}

// issue makes a certificate for a server at 127.0.0.1 and at hosts, and for a client, and names its files.
func (a *authority) issue(name string, notAfter time.Time, hosts ...string) (cert, key string) {
	a.t.Helper()
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: notAfter, DNSNames: hosts,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if len(hosts) == 0 {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	a.make(c, name)
	return filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
}

func TestTLS(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	soon := time.Now().Add(time.Hour)
	cert, key := ca.issue("server", soon)
	elsewhere, elsewhereKey := ca.issue("elsewhere", soon, "broker.example")
	old, oldKey := ca.issue("old", time.Now().Add(-time.Hour))
	client, clientKey := ca.issue("client", soon)
	foreign, foreignKey := stranger.issue("foreign", soon)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name      string
		cert, key string // of the broker
		clients   bool   // which wants to see the client's
		scheme    string
		tls       TLS
		refused   string // what the log says; "": connects
	}{
		{name: "own CA", tls: TLS{CAFile: ca.file}},
		{name: "unknown CA", tls: TLS{CAFile: stranger.file}, refused: "not signed by a known authority"},
		{name: "system's CAs", refused: "not signed by a known authority"},
		{name: "unverified", tls: TLS{InsecureSkipVerify: true}},
		{name: "wrong host", cert: elsewhere, key: elsewhereKey, tls: TLS{CAFile: ca.file}, refused: "use a name that is in it"},
		{name: "expired", cert: old, key: oldKey, tls: TLS{CAFile: ca.file}, refused: "set the clock"},
		{name: "client certificate", clients: true, tls: TLS{CAFile: ca.file, CertFile: client, KeyFile: clientKey}},
		{name: "no client certificate", clients: true, tls: TLS{CAFile: ca.file}, refused: "the broker refuses the TLS connection"},
		{name: "foreign client certificate", clients: true, tls: TLS{CAFile: ca.file, CertFile: foreign, KeyFile: foreignKey}, refused: "the broker refuses the TLS connection"},
		{name: "wss", scheme: "wss", tls: TLS{CAFile: ca.file}},
		{name: "wss unknown CA", scheme: "wss", refused: "not signed by a known authority"},
		{name: "wss client certificate", scheme: "wss", clients: true, tls: TLS{CAFile: ca.file, CertFile: client, KeyFile: clientKey}},
		{name: "no CA file", tls: TLS{CAFile: "/nowhere"}, refused: "mqtt.tls.ca_file"},
		{name: "empty CA file", tls: TLS{CAFile: empty}, refused: "holds no certificate"},
		{name: "no key", tls: TLS{CAFile: ca.file, CertFile: client}, refused: "mqtt.tls.cert_file"},
		{name: "plain", scheme: "tcp", tls: TLS{CAFile: "/not/looked/at"}, refused: "the broker closes the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaks(t)
			if c.cert == "" {
				c.cert, c.key = cert, key
			}
			if c.scheme == "" {
				c.scheme = "ssl"
			}
			conf := fmt.Sprintf("cafile %s\ncertfile %s\nkeyfile %s\n", ca.file, c.cert, c.key)
			if c.clients {
				conf += "require_certificate true\n"
			}
			if c.scheme == "wss" {
				// mosquitto 2.0.11 wants to have a listener without WebSockets, too.
				conf = "protocol websockets\n" + conf + "listener " + freePort(t) + " 127.0.0.1\n"
			}
			b := mosquitto(t, conf)
			j := newJournal(t)
			p := run(t, Options{Brokers: []string{c.scheme + "://127.0.0.1:" + b.port}, TLS: c.tls, Log: j.log()})
			p.queueEvents(100)
			if c.refused == "" {
				p.expectConnected(true)
				if err := p.stop(); err != nil {
					t.Error(err)
				}
				return
			}
			t.Log(j.expect(c.refused))
			p.stop()
			if n := strings.Count(j.text(), "\n"); n != 1 {
				t.Errorf("%d lines:\n%s", n, j.text())
			}
		})
	}
}

// A certificate that was replaced is used for the next connection.
func TestTLSRotation(t *testing.T) {
	leaks(t)
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	cert, key := ca.issue("server", time.Now().Add(time.Hour))
	b := mosquitto(t, fmt.Sprintf("certfile %s\nkeyfile %s\n", cert, key))
	file := filepath.Join(t.TempDir(), "ca.crt")
	replace := func(from string) {
		t.Helper()
		pem, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(file, pem, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(stranger.file)
	j := newJournal(t)
	p := run(t, Options{Brokers: []string{"ssl://127.0.0.1:" + b.port}, TLS: TLS{CAFile: file}, Log: j.log()})
	j.expect("not signed by a known authority")
	replace(ca.file)
	p.expectConnected(true)
}

func TestTLSToPlainPort(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	j := newJournal(t)
	run(t, Options{Brokers: []string{"ssl://127.0.0.1:" + b.port}, Log: j.log()})
	j.expect("the broker closes the connection")
}

func TestWebSocket(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "protocol websockets\nlistener "+freePort(t)+" 127.0.0.1\n")
	url := "ws://127.0.0.1:" + b.port + "/mqtt"
	s := subscribe(t, url, "tarsier/#")
	p := run(t, Options{Brokers: []string{url}})
	p.Retain("info", make([]byte, 300_000)) // longer than a frame, a buffer, a window
	p.queueEvents(1000)
	s.expect("tarsier/node/info", string(make([]byte, 300_000)))
	s.events(1, 1000)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	s.expect("tarsier/node/status", Offline)
}

func TestPassword(t *testing.T) {
	leaks(t)
	dir := t.TempDir()
	accounts := filepath.Join(dir, "accounts")
	tool, err := exec.LookPath("mosquitto_passwd")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mosquitto_passwd is not installed")
		}
		t.Skip("mosquitto_passwd is not installed")
	}
	if out, err := exec.Command(tool, "-c", "-b", accounts, "somebody", "right horse").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := mosquitto(t, "allow_anonymous false\npassword_file "+accounts+"\n")
	file := filepath.Join(dir, "password")
	j := newJournal(t)
	o := Options{Brokers: []string{b.url()}, Username: "somebody", PasswordFile: file, Log: j.log()}
	p := run(t, o)
	p.queueEvents(10)
	write := func(password string) {
		t.Helper()
		// Whole, or not at all: it is read at any moment.
		if err := os.WriteFile(file+".new", []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	j.expect("reading the password")
	write("\n")
	j.expect("is empty")
	write("wrong horse\n")
	line := j.expect("refuses user")
	if !strings.Contains(line, "somebody") || !strings.Contains(line, file) {
		t.Error(line)
	}
	write("right horse\r\n")
	p.expectConnected(true)

	o.Username, o.PasswordFile = "", ""
	p.Reconfigure(p.options(o))
	p.expectConnected(false)
	j.expect("set mqtt.username and mqtt.password_file")
	o.Username, o.PasswordFile = "somebody", file
	p.Reconfigure(p.options(o))
	p.expectConnected(true)
	p.stop()
	if n := strings.Count(j.text(), "refuses user"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	if strings.Contains(j.text(), "horse") || strings.Contains(p.Stats().LastError, "horse") {
		t.Errorf("a password in the log:\n%s", j.text())
	}
}

func TestParseBroker(t *testing.T) {
	for in, want := range map[string]string{
		"tcp://broker":           "tcp://broker:1883",
		"ssl://broker":           "ssl://broker:8883",
		"ws://broker/mqtt":       "ws://broker:80/mqtt",
		"wss://broker:8084/mqtt": "wss://broker:8084/mqtt",
		"tcp://[::1]":            "tcp://[::1]:1883",
	} {
		if u, err := parseBroker(in); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", in, u, err)
		}
	}
	for _, in := range []string{
		"", "broker", "broker:1883", "mqtt://broker", "tcp://", "tcp://:1883", "tcp://user:horse@broker:1883",
		"tcp://user:horse@broker:port", "tcp://user:horse@bro ker", "gopher://user:horse@broker",
	} {
		u, err := parseBroker(in)
		if err == nil {
			t.Errorf("%q is %v", in, u)
		} else if strings.Contains(err.Error(), "horse") {
			t.Errorf("%q: a password in %q", in, err)
		}
	}
}
