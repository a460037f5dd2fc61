package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	sink := func(s string) string { return "version: 1\nsinks: [{name: a, " + s + "}]\n" }
	for text, want := range map[string]string{
		sink("stdout: {}"):                                                      "",
		sink("journald: {}"):                                                    "",
		sink("syslog: {address: 'tls://siem.example'}"):                         "",
		sink("syslog: {address: 'udp://127.0.0.1:514', format: ecs}"):           "",
		sink("syslog: {address: 'tcp://[::1]:514'}"):                            "",
		sink("syslog: {address: 'unix:///dev/log'}"):                            "",
		sink("syslog: {address: 'tcp://siem.example:514'}"):                     ErrPlaintext.Error(),
		sink("syslog: {address: 'udp://127.0.0.1.example:514'}"):                ErrPlaintext.Error(),
		sink("syslog: {address: 'tcp://siem.example:514', plaintext: true}"):    "",
		sink("syslog: {address: 'siem.example:514'}"):                           "begin with tls://",
		sink("syslog: {address: 'tls://x', format: xml}"):                       "format",
		sink("syslog: {address: 'udp://127.0.0.1', maxBytes: 70000}"):           "maxBytes",
		sink("syslog: {address: 'tls://x', tls: {cert: a}}"):                    "cert and key",
		sink("otlp: {endpoint: 'https://c:4318'}"):                              "",
		sink("otlp: {endpoint: 'http://localhost:4318'}"):                       "",
		sink("otlp: {endpoint: 'http://c:4318'}"):                               ErrPlaintext.Error(),
		sink("webhook: {url: 'http://c/', plaintext: true, token: {file: /t}}"): "a token is not sent in plain text",
		sink("webhook: {url: 'https://u:secret@c/'}"):                           "a password does not belong here",
		sink("webhook: {url: 'https://c/', token: {credential: ../x}}"):         "a name, not a path",
		sink("webhook: {url: 'https://c/', token: {file: /t, credential: x}}"):  "not both",
		sink("webhook: {url: 'https://c/', token: secret}"):                     "cannot unmarshal",
		sink("webhook: {url: 'https://c/', insecureSkipVerify: true}"):          "not found",
		sink("stdout: {}, journald: {}"):                                        ErrKind.Error(),
		sink("minSeverity: loud, stdout: {}"):                                   "minSeverity",
		sink("file: {path: x}"):                                                 "the whole path",
		"version: 1\nsinks: [{name: metrics, stdout: {}}]":                      ErrName.Error(),
		"version: 1\nsinks: [{name: ../x, stdout: {}}]":                         ErrName.Error(),
		"version: 1\nsinks: [{name: a, stdout: {}}, {name: a, stdout: {}}]":     ErrName.Error(),
		"version: 2\nmetrics: {}":                                               "version",
		"version: 1\nmetrics: {}":                                               "",
		"version: 1\nmetrics: {listen: '0.0.0.0:9464'}":                         ErrPlaintext.Error(),
		"version: 1\nmetrics: {listen: ':9464'}":                                ErrPlaintext.Error(),
		"version: 1\nmetrics: {listen: ':9464', cert: a, key: b}":               "",
		"version: 1\nmetrics: {listen: ':9464', clientCA: a}":                   "belong together",
		"version: 1": "nothing would be sent",
		"version: 1\nmetrics: {}\n---\nversion: 1\n": "more than one document",
		"": "empty",
	} {
		_, err := Parse([]byte(text))
		if got := fmt.Sprint(err); err != nil && (want == "" || !strings.Contains(got, want)) || err == nil && want != "" {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	write := func(text string, mode os.FileMode) {
		if err := errors.Join(os.WriteFile(file, []byte(text), mode), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(string) string { return dir }
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"abc\n", 0o600, "abc <nil>"},
		{"abc\n", 0o644, ErrTrust.Error()},
		{"abc\n", 0o620, ErrTrust.Error()},
		{"a\r\nX: y", 0o600, "a space or a character"},
		{"\n", 0o600, "empty"},
	} {
		write(c.text, c.mode)
		for _, s := range []Secret{{File: file}, {Credential: "token"}} {
			got, err := s.Read(getenv)
			if said := fmt.Sprint(got, err); !strings.Contains(fmt.Sprint(got, " ", err), c.want) {
				t.Errorf("%q %o: %s", c.text, c.mode, said)
			}
		}
	}
	if _, err := (Secret{Credential: "token"}).Read(func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "LoadCredential=token:PATH") {
		t.Error(err)
	}
}

// A key that other users can read is no secret: it is refused as a token is.
func TestKeysAreHeldAsTokensAre(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, mode := range map[string]os.FileMode{cert: 0o644, key: 0o600} {
		if err := os.WriteFile(path, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Pair(cert, key); err == nil || errors.Is(err, ErrTrust) {
		t.Errorf("a key of ours: %v", err)
	}
	for _, mode := range []os.FileMode{0o604, 0o620, 0o602} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Pair(cert, key); !errors.Is(err, ErrTrust) {
			t.Errorf("mode %o: %v", mode, err)
		}
		if _, err := (TLS{Cert: cert, Key: key}).Client(); !errors.Is(err, ErrTrust) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}
