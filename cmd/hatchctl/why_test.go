package main

import (
	"syscall"
	"testing"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/why"
)

func TestHostTargets(t *testing.T) {
	for text, want := range map[string]hostTarget{
		"db.example.org":       {"db.example.org", webPort, egress.TCP},
		"db:5432":              {"db", 5432, egress.TCP},
		"9.9.9.9:53/udp":       {"9.9.9.9", 53, egress.UDP},
		"9.9.9.9/icmp":         {"9.9.9.9", 0, egress.ICMP},
		"2001:db8::1":          {"2001:db8::1", webPort, egress.TCP},
		"[2001:db8::1]:80/tcp": {"2001:db8::1", 80, egress.TCP},
		":80":                  {"", 80, egress.TCP},
	} {
		if got, err := parseHost(text); err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"/tcp", "a:0", "a:70000", "a:x", "a/sctp", "a:80/"} {
		if got, err := parseHost(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// What stands in the way of a path is told for an error that it leads to, and for
// no other.
func TestFindingsExplainTheirErrors(t *testing.T) {
	readOnly := why.Finding{Verdict: why.Other, Layer: why.LayerReadOnly}
	missing := why.Finding{Verdict: why.Other, Layer: why.LayerMissing}
	mode := why.Finding{Verdict: why.Other, Layer: why.LayerPermissions, Why: "owner and mode of /x deny it"}
	ours := why.Finding{Verdict: why.Hatchdog, Policy: "p.yaml:3 userns.mode"}
	root := why.Finding{Verdict: why.Hatchdog, Policy: "p.yaml:3 rootfs.readOnly"}
	for _, c := range []struct {
		f     why.Finding
		errno syscall.Errno
		want  bool
	}{
		{readOnly, syscall.EROFS, true},
		{readOnly, syscall.EACCES, false},
		{missing, syscall.ENOENT, true},
		{missing, syscall.EACCES, false},
		{mode, syscall.EACCES, true},
		{mode, syscall.EROFS, false},
		{mode, syscall.ENOENT, false},
		{ours, syscall.ENOENT, false},
		{ours, syscall.EACCES, true},
		{root, syscall.EROFS, true},
		{root, syscall.EPERM, false},
	} {
		if got := explains(c.f, c.errno); got != c.want {
			t.Errorf("%+v explains %v: %v", c.f, c.errno, got)
		}
	}
}
