package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// A security is how a connection is encrypted, with what it takes to say why it is refused.
type security struct {
	config      *tls.Config
	files       TLS
	authorities []*x509.Certificate // of ca_file
}

// config reads the files, which may have been replaced, and makes the configuration of a connection to host.
func (t TLS) config(host string) (*security, error) {
	s := &security{files: t, config: &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.InsecureSkipVerify,
	}}
	if t.CAFile != "" {
		rest, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA certificates (mqtt.tls.ca_file): %w", err)
		}
		s.config.RootCAs = x509.NewCertPool()
		for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
			// One of a bundle that cannot be parsed may be of no concern to us.
			if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
				s.config.RootCAs.AddCert(c)
				s.authorities = append(s.authorities, c)
			}
		}
		if len(s.authorities) == 0 {
			return nil, fmt.Errorf("mqtt.tls.ca_file %s holds no certificate in PEM form", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := t.pair()
		if err != nil {
			return nil, err
		}
		s.config.Certificates = []tls.Certificate{pair}
	}
	return s, nil
}

// pair reads the client's certificate and key.
func (t TLS) pair() (tls.Certificate, error) {
	cert, err := os.ReadFile(t.CertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the client certificate (mqtt.tls.cert_file): %w", err)
	}
	key, err := os.ReadFile(t.KeyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the client certificate's key (mqtt.tls.key_file): %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return pair, nil
	case bytes.Contains(key, []byte("ENCRYPTED")):
		err = &plainError{"the key is encrypted, and nobody is there to type its passphrase: decrypt it (openssl pkey)", err}
	case strings.Contains(err.Error(), "does not match public key"):
		err = &plainError{"the key is that of another certificate: if they are being replaced, the other file is still to come", err}
	}
	return pair, fmt.Errorf("mqtt.tls.cert_file %s and key_file %s are no pair: %w", t.CertFile, t.KeyFile, err)
}

// explainHandshake says which certificate is at fault if a connection could not be encrypted, and what to do.
func (s *security) explainHandshake(err error) error {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	text := ""
	switch {
	case err == nil:
		return nil
	case s == nil:
		return s.explainEnd(err, false)
	case errors.As(err, &authority):
		text = s.unknownAuthority(chain(err, authority.Cert))
	case errors.As(err, &hostname):
		text = brokers(hostname.Certificate) + wrongHost(hostname)
	case errors.As(err, &invalid):
		text = brokers(invalid.Cert)
		if cert := chain(err, invalid.Cert)[0]; !cert.Equal(invalid.Cert) {
			text = brokers(cert) + "is signed by an authority whose own certificate (" + describe(invalid.Cert) + ") "
		}
		switch invalid.Reason {
		case x509.Expired:
			// The library's text has the time in it, and so is new with each attempt.
			text += outdated(invalid.Cert)
		case x509.IncompatibleUsage:
			text += "is not made for servers: have it issued with the extended key usage serverAuth"
		default:
			text += "is not valid: " + strings.TrimPrefix(invalid.Error(), "x509: ")
		}
	case errors.As(err, &record):
		text = "the broker does not speak TLS on this port: use tcp:// or ws://, or another port"
	case closed(err):
		text = "the broker closes the connection when TLS begins: probably it does not speak TLS on this port, use tcp:// or ws://, " +
			"or another port"
	default:
		return s.explainEnd(err, true)
	}
	return &plainError{text, err}
}

// explainEnd says why a connection ends, as far as that has to do with how it is encrypted: in TLS 1.3 a server refuses a
// client's certificate when the client takes the connection for made. Nothing may have been heard yet.
func (s *security) explainEnd(err error, heard bool) error {
	text := "the broker closes the connection without a word: "
	var op *net.OpError
	switch {
	case s != nil && errors.As(err, &op) && op.Op == "remote error":
		text = s.refused(strings.TrimPrefix(op.Err.Error(), "tls: "))
	case heard || !closed(err):
		return err
	case s == nil:
		text += "if it speaks TLS on this port, use ssl:// or wss://, else see its log"
	case len(s.config.Certificates) == 0:
		text += "see its log, and whether it wants a client certificate (mqtt.tls.cert_file)"
	default:
		text += "see its log"
	}
	return &plainError{text, err}
}

// refused says what the broker means by a TLS alert (RFC 8446, section 6.2), which names no certificate.
func (s *security) refused(alert string) string {
	about := strings.Contains(alert, "certificate") || alert == "access denied" || alert == "decrypt error"
	switch {
	case alert == "protocol version not supported":
		return "the broker knows no TLS that is new enough: 1.2 is the least"
	case alert == "unrecognized name":
		return "the broker has no certificate for " + s.config.ServerName + ": use a name that it knows in mqtt.brokers"
	case len(s.config.Certificates) == 0 && (about || alert == "handshake failure"):
		return "the broker refuses the TLS connection (" + alert + "): it wants to see a client certificate, set mqtt.tls.cert_file and key_file"
	case !about:
		return "the broker refuses the TLS connection: " + alert
	}
	text := fmt.Sprintf("the broker refuses the client certificate (%s) in mqtt.tls.cert_file %s: %s",
		describe(s.config.Certificates[0].Leaf), s.files.CertFile, alert)
	if o := outdated(s.config.Certificates[0].Leaf); o != "" {
		return text + ": it " + o
	}
	if alert == "unknown certificate authority" {
		return text + ": have it issued by an authority that the broker knows"
	}
	return text
}

// unknownAuthority says what is missing to trust the first certificate of a chain.
func (s *security) unknownAuthority(chain []*x509.Certificate) string {
	text := brokers(chain[0]) + "is not signed by a known authority: "
	top := chain[0]
	for _, c := range chain {
		if bytes.Equal(c.RawSubject, top.RawIssuer) {
			top = c
		}
	}
	issuer, file := printable(top.Issuer.String()), "mqtt.tls.ca_file "+s.files.CAFile
	var have []string
	for _, c := range s.authorities {
		if bytes.Equal(c.RawSubject, top.RawIssuer) {
			return text + file + " holds " + issuer + ", but with another key than the one that signed: replace the file"
		}
		have = append(have, printable(c.Subject.String()))
	}
	switch {
	case s.files.CAFile == "":
		return text + "name a file with the certificate of " + issuer + " in mqtt.tls.ca_file"
	case len(have) > 3:
		have = append(have[:3], "others")
	}
	return text + file + " holds " + strings.Join(have, " and ") + ": add the certificate of " + issuer
}

// brokers begins what is to be said of the broker's certificate.
func brokers(c *x509.Certificate) string { return "the broker's certificate (" + describe(c) + ") " }

// wrongHost says what a certificate is for instead.
func wrongHost(e x509.HostnameError) string {
	names := names(e.Certificate)
	if len(names) == 0 {
		return "names no host: have it issued with the subject alternative name " + e.Host + ", since a common name does not count"
	}
	return "is for " + strings.Join(names, ", ") + " and not for " + e.Host + ": use a name that is in it in mqtt.brokers, " +
		"or have it issued for this one, too"
}

// outdated says that a certificate is not valid now, and what to do; "" if it is.
func outdated(c *x509.Certificate) string {
	const format = "2006-01-02 15:04 UTC"
	switch now := time.Now(); {
	case now.Before(c.NotBefore):
		return "is not valid before " + c.NotBefore.UTC().Format(format) + ", which by this machine's clock is still to come: " +
			"set the clock (many boards have none that runs without power, and must ask a time server), or have it issued anew"
	case now.After(c.NotAfter):
		return "expired at " + c.NotAfter.UTC().Format(format) + ": renew it, or set this machine's clock if that is wrong"
	}
	return ""
}

// chain is what the broker has shown, its own certificate first, or else the one that is at fault.
func chain(err error, fault *x509.Certificate) []*x509.Certificate {
	var e *tls.CertificateVerificationError
	if errors.As(err, &e) && len(e.UnverifiedCertificates) > 0 {
		return e.UnverifiedCertificates
	}
	return []*x509.Certificate{fault}
}

// describe tells a certificate from others.
func describe(c *x509.Certificate) string {
	subject := c.Subject.String()
	if subject == "" {
		subject = strings.Join(names(c), ", ")
	}
	return printable(subject) + ", issued by " + printable(c.Issuer.String())
}

// names are the hosts that a certificate is for, or the first of them.
func names(c *x509.Certificate) []string {
	var names []string
	for _, name := range c.DNSNames {
		names = append(names, printable(name))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) > 5 {
		names = append(names[:5], "...")
	}
	return names
}

// printable is what a stranger has written, fit for a log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	if runes := []rune(s); len(runes) > 100 {
		s = string(runes[:100]) + "..."
	}
	return s
}

// closed says whether the other side has ended the connection.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// readPassword reads a password; the newline that an editor or echo puts at its end is not part of it.
func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the password (mqtt.password_file): %w", err)
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	if len(b) == 0 {
		return "", fmt.Errorf("the password file %s (mqtt.password_file) is empty", file)
	}
	return string(b), nil
}

// A plainError has a text of our own and its cause.
type plainError struct {
	text  string
	cause error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.cause }

// explain makes one line of an error of the network: without addresses, which change with every attempt, and with
// what to do where that is known.
func explain(err error) error {
	var (
		plain *plainError
		dns   *net.DNSError
		op    *net.OpError
	)
	var text string
	switch {
	case errors.As(err, &plain):
		return plain
	case errors.As(err, &dns):
		if text = "no address for " + dns.Name; !dns.IsNotFound {
			text = "looking up " + dns.Name + ": " + reason(dns.IsTimeout, "timeout", dns.Err)
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		text = "the broker does not answer"
	case closed(err):
		text = "the broker closes the connection"
	case errors.As(err, &op):
		text = reason(op.Timeout(), "the broker does not answer", op.Err.Error())
	default:
		return err
	}
	return &plainError{text, err}
}

func reason(timeout bool, yes, no string) string {
	if timeout {
		return yes
	}
	return no
}
