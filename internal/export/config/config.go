// Package config reads what is sent where: the file of hatchctl export.
//
// Guarantees: a key that is not known, a receiver without a name of its own and an
// address that would send in plain text to another host are refused; no secret is in
// the file, only where it is.
// Does not cover: whether a receiver is there.
// Requires: a file that only root or the user we are can write to.
// Spec fields touched: none.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hatchdog/hatchdog/internal/export/record"
)

// Default is where the file is.
const Default = "/etc/hatchdog/export.yaml"

// DefaultState is where the positions and queues are kept: root's, or the user's own.
func DefaultState(euid int, getenv func(string) string) string {
	const below = "hatchdog/export"
	switch {
	case euid == 0:
		return "/var/lib/" + below
	case getenv("XDG_STATE_HOME") != "":
		return filepath.Join(getenv("XDG_STATE_HOME"), below)
	}
	return filepath.Join(getenv("HOME"), ".local/state", below)
}

// Config is the file.
type Config struct {
	Version int      `yaml:"version"`
	State   string   `yaml:"state"` // directory
	From    From     `yaml:"from"`
	Sinks   []Sink   `yaml:"sinks"`
	Metrics *Metrics `yaml:"metrics"`
}

// From is where a receiver without a position begins.
type From string

// The beginnings.
const (
	Oldest From = "oldest" // with all that the log has
	Now    From = "now"    // with what comes from now on
)

// Sink is one receiver. Exactly one of the kinds is set.
type Sink struct {
	Name        string    `yaml:"name"`
	MinSeverity string    `yaml:"minSeverity"` // info, notice, warning, error, critical
	Stdout      *struct{} `yaml:"stdout"`
	File        *File     `yaml:"file"`
	Journald    *Journald `yaml:"journald"`
	Syslog      *Syslog   `yaml:"syslog"`
	OTLP        *OTLP     `yaml:"otlp"`
	Webhook     *Webhook  `yaml:"webhook"`
}

// File gets JSON Lines.
type File struct {
	Path string `yaml:"path"`
}

// Journald is the journal.
type Journald struct {
	Socket string `yaml:"socket"`
}

// Syslog gets RFC 5424.
type Syslog struct {
	Address   string `yaml:"address"` // tls://HOST:PORT, tcp://, udp://, unix:///PATH
	Format    string `yaml:"format"`  // cef, ecs
	Most      int    `yaml:"maxBytes"`
	Plaintext bool   `yaml:"plaintext"`
	TLS       TLS    `yaml:"tls"`
}

// OTLP is a collector of OpenTelemetry, by HTTP.
type OTLP struct {
	Endpoint  string `yaml:"endpoint"` // https://HOST:4318
	Logs      *bool  `yaml:"logs"`     // default: true
	Metrics   *bool  `yaml:"metrics"`  // default: true
	Plaintext bool   `yaml:"plaintext"`
	Token     Secret `yaml:"token"` // sent as "Authorization: Bearer"
	TLS       TLS    `yaml:"tls"`
}

// Webhook gets a POST for each record.
type Webhook struct {
	URL       string `yaml:"url"`
	Plaintext bool   `yaml:"plaintext"`
	Token     Secret `yaml:"token"`
	TLS       TLS    `yaml:"tls"`
	Queue     Queue  `yaml:"queue"`
}

// Queue bounds what waits on disk.
type Queue struct {
	Bytes   int64 `yaml:"maxBytes"`
	Records int   `yaml:"maxRecords"`
}

// Metrics is where Prometheus asks.
type Metrics struct {
	Listen    string `yaml:"listen"`
	Plaintext bool   `yaml:"plaintext"`
	Cert      string `yaml:"cert"`
	Key       string `yaml:"key"`
	ClientCA  string `yaml:"clientCA"` // then who asks needs a certificate of it
}

// Errors of the file.
var (
	ErrKind      = errors.New("name exactly one of stdout, file, journald, syslog, otlp, webhook")
	ErrName      = errors.New("give each sink a name of its own: small letters, digits and -, at most 32")
	ErrPlaintext = errors.New("it would leave this host in plain text: use TLS, or write plaintext: true")
)

var name = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Parse reads the text of a file.
func Parse(text []byte) (*Config, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	c := &Config{}
	if err := dec.Decode(c); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, err
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	return c, c.complete()
}

func (c *Config) complete() error {
	if c.Version != 1 {
		return fmt.Errorf("version: %d is not known; it is 1", c.Version)
	}
	if c.State == "" {
		c.State = DefaultState(os.Geteuid(), os.Getenv)
	}
	if c.From == "" {
		c.From = Oldest
	}
	if c.From != Oldest && c.From != Now {
		return fmt.Errorf("from: %q is not known; it is oldest or now", c.From)
	}
	if len(c.Sinks) == 0 && c.Metrics == nil {
		return errors.New("neither sinks nor metrics: nothing would be sent")
	}
	taken := map[string]bool{"metrics": true, "textfile": true} // names of our own
	for i := range c.Sinks {
		s := &c.Sinks[i]
		if !name.MatchString(s.Name) || taken[s.Name] {
			return fmt.Errorf("sinks[%d].name: %w", i, ErrName)
		}
		taken[s.Name] = true
		if err := s.complete(); err != nil {
			return fmt.Errorf("sink %s: %w", s.Name, err)
		}
	}
	if c.Metrics != nil {
		return c.Metrics.complete()
	}
	return nil
}

func (s *Sink) complete() error {
	if s.MinSeverity != "" {
		if _, ok := record.ParseSeverity(s.MinSeverity); !ok {
			return fmt.Errorf("minSeverity: %q is not known; it is info, notice, warning, error or critical", s.MinSeverity)
		}
	}
	kinds := 0
	for _, set := range []bool{s.Stdout != nil, s.File != nil, s.Journald != nil, s.Syslog != nil, s.OTLP != nil, s.Webhook != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return ErrKind
	}
	switch {
	case s.File != nil && !strings.HasPrefix(s.File.Path, "/"):
		return errors.New("file.path: give the whole path, from /")
	case s.Journald != nil && s.Journald.Socket == "":
		s.Journald.Socket = "/run/systemd/journal/socket"
	case s.Syslog != nil:
		return s.Syslog.complete()
	case s.OTLP != nil:
		return s.OTLP.complete()
	case s.Webhook != nil:
		return s.Webhook.complete()
	}
	return nil
}
