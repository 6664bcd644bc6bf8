package publish

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

func newAuthority(t *testing.T, name string, changes ...func(*x509.Certificate)) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(c)
	}
	a.cert, a.key = a.make(c, name)
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
	if c.NotBefore.IsZero() {
		c.NotBefore = time.Now().Add(-2 * time.Hour)
	}
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

// issue makes a certificate for a server at 127.0.0.1 and for a client, valid for an hour, but for what is changed, and
// names its files.
func (a *authority) issue(name string, changes ...func(*x509.Certificate)) (cert, key string) {
	a.t.Helper()
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, change := range changes {
		change(c)
	}
	a.make(c, name)
	return filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
}

// What may be changed of a certificate.
func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }
func early(c *x509.Certificate)   { c.NotBefore = time.Now().Add(30 * time.Minute) }
func hosts(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = names, nil }
}

// below makes an authority that another one has signed.
func (a *authority) below(name string) *authority {
	a.t.Helper()
	b := &authority{t: a.t, dir: a.t.TempDir()}
	a.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	}, name)
	b.file = filepath.Join(a.dir, name+".crt")
	pair, err := tls.LoadX509KeyPair(b.file, filepath.Join(a.dir, name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	b.cert, b.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return b
}

// join puts files into one.
func (a *authority) join(files ...string) string {
	a.t.Helper()
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			a.t.Fatal(err)
		}
		all = append(all, b...)
	}
	joined := filepath.Join(a.t.TempDir(), "joined.crt")
	if err := os.WriteFile(joined, all, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return joined
}

// Each way to set TLS up, and to get it wrong: the log says once which certificate is at fault, and which key of the config to look at.
func TestTLS(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	old, young, namesake := newAuthority(t, "oldca", expired), newAuthority(t, "youngca", early), newAuthority(t, "ca")
	middle := ca.below("middle")
	cert, key := ca.issue("server")
	client, clientKey := ca.issue("client")
	pair := func(cert, key string) [2]string { return [2]string{cert, key} }
	trust := TLS{CAFile: ca.file}
	as := func(cert, key string) TLS { return TLS{CAFile: ca.file, CertFile: cert, KeyFile: key} }
	chained, chainedKey := middle.issue("chained")
	whole := ca.join(chained, middle.file)
	empty := ca.join()
	locked := ca.join()
	write := func(file, content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	_, otherKey := ca.issue("other")
	foreign, foreignKey := stranger.issue("foreign")
	oldClient, oldClientKey := ca.issue("oldclient", expired)
	youngClient, youngClientKey := ca.issue("youngclient", early)

	for _, c := range []struct {
		name    string
		broker  [2]string // its certificate and key
		clients bool      // it wants to see the client's
		conf    string
		scheme  string
		tls     TLS
		refused []string // what the log says; none: connects
	}{
		{name: "own CA", tls: trust},
		{name: "one CA of several", tls: TLS{CAFile: ca.join(stranger.file, old.file, ca.file)}},
		{name: "intermediate CA", broker: pair(whole, chainedKey), tls: trust},
		{name: "pinned", tls: TLS{CAFile: cert}},
		{name: "unverified", tls: TLS{InsecureSkipVerify: true}},
		{name: "client certificate", clients: true, tls: as(client, clientKey)},
		{name: "client certificate, TLS 1.2", clients: true, conf: "tls_version tlsv1.2\n", tls: as(client, clientKey)},
		{name: "wss", scheme: "wss", tls: trust},
		{name: "wss, client certificate", scheme: "wss", clients: true, tls: as(client, clientKey)},

		// The broker's certificate.
		{name: "unknown CA", tls: TLS{CAFile: stranger.file}, refused: []string{
			"the broker's certificate (CN=server, issued by CN=ca) is not signed by a known authority", "mqtt.tls.ca_file " + stranger.file + " holds CN=stranger",
			"add the certificate of CN=ca",
		}},
		{name: "unknown CA, shown by the broker", clients: true, tls: TLS{CAFile: stranger.file}, refused: []string{
			"the broker's certificate (CN=server, issued by CN=ca) is not signed by a known authority",
		}},
		{name: "wss, unknown CA", scheme: "wss", tls: TLS{CAFile: stranger.file}, refused: []string{"(CN=server, issued by CN=ca) is not signed by a known authority"}},
		{name: "the system's CAs", refused: []string{
			"(CN=server, issued by CN=ca) is not signed by a known authority", "name a file with the certificate of CN=ca in mqtt.tls.ca_file",
		}},
		{name: "a CA of the same name", tls: TLS{CAFile: namesake.file}, refused: []string{
			"(CN=server, issued by CN=ca)", "ca_file " + namesake.file + " holds CN=ca, but with another key",
		}},
		{name: "a missing intermediate", broker: pair(chained, chainedKey), tls: trust, refused: []string{
			"(CN=chained, issued by CN=middle)", "ca_file " + ca.file + " holds CN=ca: add the certificate of CN=middle",
		}},
		{name: "expired CA", broker: pair(old.issue("server")), tls: TLS{CAFile: old.file}, refused: []string{
			"(CN=server, issued by CN=oldca)", "an authority whose own certificate (CN=oldca, issued by CN=oldca) expired at 2",
		}},
		{name: "CA not yet valid", broker: pair(young.issue("server")), tls: TLS{CAFile: young.file}, refused: []string{
			"an authority whose own certificate (CN=youngca, issued by CN=youngca) is not valid before 2", "set the clock",
		}},
		{name: "wrong host", broker: pair(ca.issue("elsewhere", hosts("broker.example", "b.example"))), tls: trust, refused: []string{
			"the broker's certificate (CN=elsewhere, issued by CN=ca) is for broker.example, b.example and not for 127.0.0.1", "mqtt.brokers",
		}},
		{name: "no host", broker: pair(ca.issue("127.0.0.1", hosts())), tls: trust, refused: []string{
			"(CN=127.0.0.1, issued by CN=ca) names no host", "subject alternative name 127.0.0.1",
		}},
		{name: "expired", broker: pair(ca.issue("old", expired)), tls: trust, refused: []string{
			"the broker's certificate (CN=old, issued by CN=ca) expired at 2", "renew it, or set this machine's clock",
		}},
		{name: "not yet valid", broker: pair(ca.issue("young", early)), tls: trust, refused: []string{
			"the broker's certificate (CN=young, issued by CN=ca) is not valid before 2", "set the clock",
		}},
		{name: "for clients only", broker: pair(ca.issue("c", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] })), tls: trust, refused: []string{
			"the broker's certificate (CN=c, issued by CN=ca) is not made for servers",
		}},

		// Ours.
		{name: "no client certificate", clients: true, tls: trust, refused: []string{"it wants to see a client certificate, set mqtt.tls.cert_file and key_file"}},
		{name: "no client certificate, TLS 1.2", clients: true, conf: "tls_version tlsv1.2\n", tls: trust, refused: []string{"set mqtt.tls.cert_file and key_file"}},
		{name: "foreign client certificate", clients: true, tls: as(foreign, foreignKey), refused: []string{
			"refuses the client certificate (CN=foreign, issued by CN=stranger) in mqtt.tls.cert_file " + foreign, "an authority that the broker knows",
		}},
		{name: "expired client certificate", clients: true, tls: as(oldClient, oldClientKey), refused: []string{
			"refuses the client certificate (CN=oldclient, issued by CN=ca) in mqtt.tls.cert_file " + oldClient + ": expired certificate: it expired at 2", "renew it",
		}},
		{name: "expired client certificate, TLS 1.2", clients: true, conf: "tls_version tlsv1.2\n", tls: as(oldClient, oldClientKey), refused: []string{
			"refuses the client certificate (CN=oldclient, issued by CN=ca)", "it expired at 2",
		}},
		{name: "wss, expired client certificate", scheme: "wss", clients: true, tls: as(oldClient, oldClientKey), refused: []string{
			"refuses the client certificate (CN=oldclient, issued by CN=ca)", "it expired at 2",
		}},
		{name: "client certificate not yet valid", clients: true, tls: as(youngClient, youngClientKey), refused: []string{
			"refuses the client certificate (CN=youngclient, issued by CN=ca)", "it is not valid before 2",
		}},

		// Files.
		{name: "no CA file", tls: TLS{CAFile: "/nowhere"}, refused: []string{"mqtt.tls.ca_file", "/nowhere"}},
		{name: "empty CA file", tls: TLS{CAFile: empty}, refused: []string{"mqtt.tls.ca_file " + empty + " holds no certificate"}},
		{name: "a key as CA file", tls: TLS{CAFile: key}, refused: []string{"mqtt.tls.ca_file " + key + " holds no certificate"}},
		{name: "no certificate", tls: as("/nowhere", clientKey), refused: []string{"mqtt.tls.cert_file", "/nowhere"}},
		{name: "no key", tls: as(client, ""), refused: []string{"mqtt.tls.key_file"}},
		{name: "unreadable key", tls: as(client, t.TempDir()), refused: []string{"mqtt.tls.key_file", "is a directory"}},
		{name: "another's key", tls: as(client, otherKey), refused: []string{"mqtt.tls.cert_file " + client + " and key_file " + otherKey, "is that of another certificate"}},
		{name: "exchanged", tls: as(clientKey, client), refused: []string{"mqtt.tls.cert_file " + clientKey + " and key_file " + client, "switched"}},
		{name: "encrypted key", tls: as(client, locked), refused: []string{"key_file " + locked, "passphrase"}},

		// The other side.
		{name: "plain", scheme: "tcp", tls: TLS{CAFile: "/not/looked/at"}, refused: []string{"use ssl://"}},
		{name: "ws", scheme: "ws", refused: []string{"use ssl:// or wss://"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaks(t)
			if c.broker[0] == "" {
				c.broker = pair(cert, key)
			}
			if c.scheme == "" {
				c.scheme = "ssl"
			}
			conf := fmt.Sprintf("certfile %s\nkeyfile %s\n%s", c.broker[0], c.broker[1], c.conf)
			if c.clients {
				conf += "require_certificate true\ncafile " + ca.file + "\n"
			}
			if strings.HasPrefix(c.scheme, "ws") {
				// mosquitto 2.0.11 wants to have a listener without WebSockets, too.
				conf = "protocol websockets\n" + conf + "listener " + freePort(t) + " 127.0.0.1\n"
			}
			b := mosquitto(t, conf)
			j := newJournal(t)
			p := run(t, Options{Brokers: []string{c.scheme + "://127.0.0.1:" + b.port}, TLS: c.tls, Log: j.log()})
			p.queueEvents(100)
			if c.refused == nil {
				p.expectConnected(true)
				if err := p.stop(); err != nil {
					t.Error(err)
				}
				return
			}
			line := j.expect("no connection to the broker")
			t.Log(line)
			for _, part := range c.refused {
				if !strings.Contains(line, part) {
					t.Errorf("the log does not say %q", part)
				}
			}
			p.stop()
			if n := strings.Count(j.text(), "\n"); n != 1 {
				t.Errorf("%d lines:\n%s", n, j.text())
			}
		})
	}
}

// Files that were replaced are used for the next connection, also if that is made between the replacement of one and of another.
func TestTLSRotation(t *testing.T) {
	leaks(t)
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	next := newAuthority(t, "nextca")
	dir := t.TempDir()
	replace := func(name, from string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.Rename(ca.join(from), name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	cert, key := ca.issue("server")
	cert, key = replace("server.crt", cert), replace("server.key", key)
	old, oldKey := ca.issue("oldclient", expired)
	clients := replace("clients.crt", ca.file)
	b := mosquitto(t, fmt.Sprintf("certfile %s\nkeyfile %s\ncafile %s\nrequire_certificate true\n", cert, key, clients))
	s := TLS{CAFile: replace("ca.crt", stranger.file), CertFile: replace("client.crt", old), KeyFile: replace("client.key", oldKey)}

	j := newJournal(t)
	p := run(t, Options{Brokers: []string{"ssl://127.0.0.1:" + b.port}, TLS: s, Log: j.log()})
	j.expect("not signed by a known authority")
	replace("ca.crt", ca.file)
	j.expect("refuses the client certificate (CN=oldclient, issued by CN=ca)")
	fresh, freshKey := ca.issue("client")
	replace("client.crt", fresh)
	j.expect("are no pair: the key is that of another certificate")
	replace("client.key", freshKey)
	p.expectConnected(true)

	// All of them at once, while connected: by new authorities.
	cert, key = next.issue("server")
	replace("server.crt", cert)
	replace("server.key", key)
	fresh, freshKey = next.issue("client")
	replace("clients.crt", next.file)
	replace("client.crt", fresh)
	replace("client.key", freshKey)
	replace("ca.crt", ca.join(ca.file, next.file))
	p.queueEvents(10)
	b.stop()
	p.expectConnected(false)
	b.start()
	p.expectConnected(true)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// A terminator is a TLS server before a plain one, which it connects to as long as the test runs.
func terminator(t *testing.T, config *tls.Config, b *broker) (port string) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			all.Add(1)
			go func() {
				defer all.Done()
				defer client.Close()
				server, err := net.Dial("tcp", "127.0.0.1:"+b.port)
				if err != nil {
					return
				}
				back := make(chan struct{})
				go func() { defer close(back); io.Copy(client, server); client.Close() }()
				io.Copy(server, client)
				server.Close()
				<-back
			}()
		}
	}()
	t.Cleanup(func() { ln.Close(); all.Wait() })
	_, port, _ = net.SplitHostPort(ln.Addr().String())
	return port
}

// Several names at one address, each with a certificate of its own: the server is told which one is meant.
func TestServerName(t *testing.T) {
	leaks(t)
	ca := newAuthority(t, "ca")
	byName := make(map[string]*tls.Certificate)
	for _, name := range []string{"localhost", "other.example"} {
		cert, key := ca.issue(name, hosts(name))
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		byName[name] = &pair
	}
	b := mosquitto(t, "")
	port := terminator(t, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if c := byName[hello.ServerName]; c != nil {
			return c, nil
		}
		return byName["other.example"], nil
	}}, b)
	for host, want := range map[string]string{"localhost": "", "127.0.0.1": "(CN=other.example, issued by CN=ca) is for other.example and not for 127.0.0.1"} {
		j := newJournal(t)
		p := run(t, Options{Brokers: []string{"ssl://" + host + ":" + port}, TLS: TLS{CAFile: ca.file}, Log: j.log()})
		if want == "" {
			p.expectConnected(true)
		} else {
			j.expect(want)
		}
		p.stop()
	}
}

func TestOldTLS(t *testing.T) {
	leaks(t)
	ca := newAuthority(t, "ca")
	pair, err := tls.LoadX509KeyPair(ca.issue("server"))
	if err != nil {
		t.Fatal(err)
	}
	port := terminator(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, mosquitto(t, ""))
	j := newJournal(t)
	p := run(t, Options{Brokers: []string{"ssl://127.0.0.1:" + port}, TLS: TLS{CAFile: ca.file}, Log: j.log()})
	j.expect("knows no TLS that is new enough: 1.2 is the least")
	p.stop()
}

// What a certificate says of itself is a stranger's text, and does not break a log line.
func TestStrangeCertificate(t *testing.T) {
	ca := newAuthority(t, "ca")
	c, _ := ca.make(&x509.Certificate{Subject: pkix.Name{CommonName: "a\nlevel=ERROR\x1b[2J" + strings.Repeat("x", 5000)}}, "strange")
	if got := describe(c); strings.ContainsAny(got, "\n\x1b") || len(got) > 300 {
		t.Errorf("%q", got)
	}
	c, _ = ca.make(&x509.Certificate{DNSNames: []string{"a.example", "b.example"}}, "nameless")
	if got := describe(c); got != "a.example, b.example, issued by CN=ca" {
		t.Error(got)
	}
}

func TestTLSToPlainPort(t *testing.T) {
	leaks(t)
	b := mosquitto(t, "")
	j := newJournal(t)
	run(t, Options{Brokers: []string{"ssl://127.0.0.1:" + b.port}, Log: j.log()})
	j.expect("probably it does not speak TLS on this port, use tcp://")
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
	log := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})) // whatever it says, no password
	o := Options{Brokers: []string{b.url()}, Username: "somebody", PasswordFile: file, Log: log}
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

	// Others get the password too, and fail after that.
	bad := newProxy(t, b)
	bad.filter = func(toClient bool, b []byte) []byte {
		if toClient {
			return []byte("right horse") // which is no MQTT
		}
		return b
	}
	o.Brokers = []string{"tcp://somebody:right%20horse@127.0.0.1:" + b.port, bad.url(), "ssl://127.0.0.1:" + b.port, "ws://127.0.0.1:" + b.port}
	p.Reconfigure(p.options(o))
	j.expect("holds credentials")
	j.expect("no MQTT broker")
	j.expect("does not speak TLS")
	j.expect("no connection to the broker") // ws
	o.Brokers = []string{b.url()}
	p.Reconfigure(p.options(o))
	p.expectConnected(true)
	p.stop()
	if n := strings.Count(j.text(), "refuses user"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	if strings.Contains(j.text(), "horse") || strings.Contains(fmt.Sprintf("%+v", p.Stats()), "horse") {
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
