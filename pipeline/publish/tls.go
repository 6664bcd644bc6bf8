package publish

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// config reads the files and makes the configuration of a connection to host.
func (t TLS) config(host string) (*tls.Config, error) {
	c := &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.InsecureSkipVerify,
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA certificates (mqtt.tls.ca_file): %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt.tls.ca_file %s holds no certificate in PEM form", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate (mqtt.tls.cert_file %s, key_file %s): %w", t.CertFile, t.KeyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
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
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		dns       *net.DNSError
		op        *net.OpError
	)
	text := err.Error()
	switch {
	case errors.As(err, &authority):
		text = "the broker's certificate is not signed by a known authority: name its CA in mqtt.tls.ca_file"
	case errors.As(err, &hostname):
		text = hostname.Error() + ": use a name that is in it in mqtt.brokers"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		// The library's text has the time in it, and so is new with each attempt.
		text = fmt.Sprintf("the broker's certificate is valid from %s to %s: renew it, or set the clock",
			invalid.Cert.NotBefore.Format(time.DateTime), invalid.Cert.NotAfter.Format(time.DateTime))
	case errors.As(err, &record):
		text = "the broker does not speak TLS on this port: use tcp:// or ws://, or another port"
	case errors.As(err, &dns):
		if text = "no address for " + dns.Name; !dns.IsNotFound {
			text = "looking up " + dns.Name + ": " + reason(dns.IsTimeout, "timeout", dns.Err)
		}
	case errors.As(err, &alert), strings.Contains(text, "remote error: tls:"):
		_, what, _ := strings.Cut(text, "tls: ")
		text = "the broker refuses the TLS connection: " + what + ": see mqtt.tls.cert_file and key_file"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		text = "the broker does not answer"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
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
