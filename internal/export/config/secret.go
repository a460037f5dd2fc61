package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Secret says where a secret is; it is never in the file itself, nor on a command
// line.
type Secret struct {
	File       string `yaml:"file"`
	Credential string `yaml:"credential"` // of systemd: LoadCredential=NAME:PATH
}

// Set reports whether there is one.
func (s Secret) Set() bool { return s.File != "" || s.Credential != "" }

func (s Secret) complete() error {
	if s.File != "" && s.Credential != "" {
		return errors.New("token: file or credential, not both")
	}
	if s.Credential != "" && filepath.Base(s.Credential) != s.Credential {
		return errors.New("token.credential: it is a name, not a path")
	}
	return nil
}

// maxSecret bounds a token, in bytes.
const maxSecret = 64 << 10

// Read reads the secret; none is "". It is read for each connection, so that it may
// be changed.
func (s Secret) Read(getenv func(string) string) (string, error) {
	path := s.File
	switch {
	case !s.Set():
		return "", nil
	case s.Credential != "":
		dir := getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("token: there is no credential %s: systemd gives it by LoadCredential=%s:PATH", s.Credential, s.Credential)
		}
		path = filepath.Join(dir, s.Credential)
	}
	data, err := readTrusted(path, maxSecret, 0o004)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	data = bytes.TrimSpace(data)
	for _, c := range data {
		if c <= ' ' || c > '~' {
			return "", errors.New("token: it holds a space or a character that a header cannot hold")
		}
	}
	if len(data) == 0 {
		return "", errors.New("token: it is empty")
	}
	return string(data), nil
}

// maxFile bounds the configuration, in bytes.
const maxFile = 1 << 20

// Load reads a file.
func Load(path string) (*Config, error) {
	data, err := readTrusted(path, maxFile, 0)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("export: %s: %w", path, err)
	}
	return c, nil
}

// ErrTrust is a file that others can change, or a secret that others can read.
var ErrTrust = errors.New("other users have access to it")

// readTrusted reads a file of root or of the user we are, which nobody else can
// write to. refuse are bits of its mode that are refused as well.
func readTrusted(path string, most int64, refuse uint32) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fmt.Errorf("%s: not a regular file", path)
	case st.Uid != 0 && int(st.Uid) != os.Geteuid(), st.Mode&(0o022|refuse) != 0:
		return nil, fmt.Errorf("%s: %w (uid %d, mode %04o)", path, ErrTrust, st.Uid, st.Mode&0o7777)
	case st.Size > most:
		return nil, fmt.Errorf("%s: larger than %d bytes", path, most)
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// TLS is how a receiver is known. Its certificate is always verified.
type TLS struct {
	CA         string `yaml:"ca"`   // PEM; default: the system's
	Cert       string `yaml:"cert"` // PEM, ours
	Key        string `yaml:"key"`
	ServerName string `yaml:"serverName"` // default: the host of the address
}

func (t TLS) complete() error {
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("tls: cert and key belong together")
	}
	return nil
}

// Client is the configuration of a connection.
func (t TLS) Client() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pool, err := Pool(t.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = pool
	}
	if t.Cert != "" {
		pair, err := Pair(t.Cert, t.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Pair reads a certificate and its key, which is held to what a token is held to.
func Pair(cert, key string) (tls.Certificate, error) {
	public, err := readTrusted(cert, maxFile, 0)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls: %w", err)
	}
	private, err := readTrusted(key, maxFile, 0o004)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls: %w", err)
	}
	pair, err := tls.X509KeyPair(public, private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls: %s, %s: %w", cert, key, err)
	}
	return pair, nil
}

// Pool reads certificates.
func Pool(path string) (*x509.CertPool, error) {
	pem, err := readTrusted(path, maxFile, 0)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls: %s holds no certificate", path)
	}
	return pool, nil
}
