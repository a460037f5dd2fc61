package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// What becomes of a packet to a name is what the resolver and the kernel make of it.
func TestByName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := `version: 1
profile: shop
profiles:
  shop:
    extends: builtin/untrusted
    egress:
      names: {unlisted: refused}
      allow: ["www.example.org:443/tcp", "*.example.net:443", {name: "db.internal:5432", private: true}, "xn--bcher-kva.example:443/tcp"]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pol, err := policy.LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := pol.Profiles["shop"]
	for _, c := range []struct {
		name  string
		port  uint16
		proto egress.Proto
		want  egress.Verdict
		says  string
	}{
		{"www.example.org", 443, egress.TCP, egress.Allow, "www.example.org:443/tcp"},
		{"WWW.Example.org.", 443, egress.TCP, egress.Allow, "www.example.org:443/tcp"},
		{"www.example.org", 443, egress.UDP, egress.Deny, "at other ports alone"},
		{"www.example.org", 80, egress.TCP, egress.Deny, "at other ports alone"},
		{"a.example.net", 443, egress.UDP, egress.Allow, "*.example.net:443"},
		{"a.b.example.net", 443, egress.TCP, egress.Deny, "gets REFUSED"},
		{"db.internal", 5432, egress.TCP, egress.Allow, "db.internal:5432 private"},
		{"XN--Bcher-kva.example", 443, egress.TCP, egress.Allow, "xn--bcher-kva.example:443/tcp"},
	} {
		a, named, err := byName(p, c.name, c.port, c.proto)
		if err != nil || !named || a.Verdict != c.want || !strings.Contains(a.Reason+a.Entry, c.says) {
			t.Errorf("%+v: %+v %v", c, a, err)
		}
	}
	if _, _, err := byName(p, "bücher.example", 443, egress.TCP); !errors.Is(err, egress.ErrASCII) {
		t.Errorf("a name that no resolver is asked: %v", err)
	}
}
