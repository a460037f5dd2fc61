package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
)

// Bounds of a syslog message, in bytes: RFC 5424 section 6.1 has receivers take
// 2048, and a datagram has no more than 65507.
const (
	datagramMost = 2048
	streamMost   = 64 << 10
	leastMost    = 1400
	greatestMost = 1 << 20
	datagramMax  = 65000
)

// Transport is the network of the address (udp, tcp, unix), what to dial, and
// whether TLS is spoken.
func (s *Syslog) Transport() (network, address string, secure bool, err error) {
	u, err := url.Parse(s.Address)
	if err != nil {
		return "", "", false, errors.New("address: it is no address")
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return "", "", false, errors.New("address: unix:///PATH has three slashes")
		}
		return "unix", u.Path, false, nil
	case "udp", "tcp", "tls":
		port := map[string]string{"udp": "514", "tcp": "601", "tls": "6514"}[u.Scheme]
		if p := u.Port(); p != "" {
			port = p
		}
		if u.Hostname() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
			return "", "", false, fmt.Errorf("address: it is %s://HOST:PORT", u.Scheme)
		}
		network = u.Scheme
		if network == "tls" {
			network = "tcp"
		}
		return network, net.JoinHostPort(u.Hostname(), port), u.Scheme == "tls", nil
	}
	return "", "", false, errors.New("address: begin with tls://, tcp://, udp:// or unix://")
}

func (s *Syslog) complete() error {
	network, address, secure, err := s.Transport()
	if err != nil {
		return err
	}
	if !secure && network != "unix" && !loopback(address) && !s.Plaintext {
		return fmt.Errorf("address: %w", ErrPlaintext)
	}
	if s.Format == "" {
		s.Format = "cef"
	}
	if s.Format != "cef" && s.Format != "ecs" {
		return fmt.Errorf("format: %q is not known; it is cef or ecs", s.Format)
	}
	usual, most := streamMost, greatestMost
	if network != "tcp" {
		usual, most = datagramMost, datagramMax
	}
	if s.Most == 0 {
		s.Most = usual
	}
	if network == "unix" && s.Most == datagramMost {
		s.Most = 8 << 10 // what rsyslogd and journald take
	}
	if s.Most < leastMost || s.Most > most {
		return fmt.Errorf("maxBytes: it is %d to %d", leastMost, most)
	}
	return s.TLS.complete()
}

func (o *OTLP) complete() error {
	if o.Logs != nil && !*o.Logs && o.Metrics != nil && !*o.Metrics {
		return errors.New("neither logs nor metrics")
	}
	return httpAddress("endpoint", o.Endpoint, o.Plaintext, o.Token, o.TLS)
}

// SendsLogs and SendsMetrics are true where nothing is said.
func (o *OTLP) SendsLogs() bool { return o.Logs == nil || *o.Logs }

// SendsMetrics reports whether metrics are sent.
func (o *OTLP) SendsMetrics() bool { return o.Metrics == nil || *o.Metrics }

// Usual bounds of a queue: 64 MiB are some 10,000 decisions of 5 KiB.
const (
	queueBytes   = 64 << 20
	queueRecords = 10_000
)

func (w *Webhook) complete() error {
	if w.Queue.Bytes == 0 {
		w.Queue.Bytes = queueBytes
	}
	if w.Queue.Records == 0 {
		w.Queue.Records = queueRecords
	}
	if w.Queue.Bytes < 1<<20 || w.Queue.Records < 1 || w.Queue.Records > 1_000_000 {
		return errors.New("queue: maxBytes is 1 MiB or more, maxRecords 1 to 1000000")
	}
	return httpAddress("url", w.URL, w.Plaintext, w.Token, w.TLS)
}

func httpAddress(key, address string, plaintext bool, token Secret, t TLS) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%s: it is https://HOST/PATH", key) // not the address: it may hold a secret
	case u.User != nil:
		return fmt.Errorf("%s: a password does not belong here: use token", key)
	case u.Scheme == "http" && !loopback(u.Host) && !plaintext:
		return fmt.Errorf("%s: %w", key, ErrPlaintext)
	case u.Scheme == "http" && !loopback(u.Host) && token.Set():
		return fmt.Errorf("%s: a token is not sent in plain text: use https", key)
	}
	return errors.Join(token.complete(), t.complete())
}

func (m *Metrics) complete() error {
	if m.Listen == "" {
		m.Listen = "127.0.0.1:9464"
	}
	if _, _, err := net.SplitHostPort(m.Listen); err != nil {
		return errors.New("metrics.listen: it is HOST:PORT")
	}
	if (m.Cert == "") != (m.Key == "") || m.ClientCA != "" && m.Cert == "" {
		return errors.New("metrics: cert and key belong together, and clientCA needs both")
	}
	if m.Cert == "" && !loopback(m.Listen) && !m.Plaintext {
		return fmt.Errorf("metrics.listen: %w", ErrPlaintext)
	}
	return nil
}

// loopback reports whether a HOST or HOST:PORT never leaves this host.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = (&url.URL{Host: address}).Hostname()
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
