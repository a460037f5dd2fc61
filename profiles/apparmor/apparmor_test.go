package apparmor

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/template"
)

var update = flag.Bool("update", false, "rewrite the profiles")

type data struct {
	Name, Policy           string
	Capabilities, Families []string
	Delegated              bool // a cgroup may be written, where it is handed over writable
}

func dataOf(name string) data {
	d := data{Name: name, Policy: strings.TrimPrefix(name, "hatchdog-"), Delegated: name == Baseline}
	for _, c := range Grants(name) {
		d.Capabilities = append(d.Capabilities, strings.ToLower(strings.TrimPrefix(c, "CAP_")))
	}
	slices.Sort(d.Capabilities)
	for _, family := range []string{"inet", "inet6"} {
		for _, kind := range []string{"stream", "dgram", "seqpacket"} {
			d.Families = append(d.Families, family+" "+kind)
		}
	}
	// libc asks netlink for addresses and routes, on raw sockets too.
	d.Families = append(d.Families, "netlink", "unix")
	return d
}

// `make golden` writes them anew.
func TestGoldenProfiles(t *testing.T) {
	tmpl := template.Must(template.ParseFiles("template.txt"))
	for _, name := range Names() {
		var want bytes.Buffer
		if err := tmpl.Execute(&want, dataOf(name)); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(have, want.Bytes()) {
			t.Errorf("%s is not what the template says; run make golden (%v)", name, err)
		}
	}
}

// compile runs Debian's parser without a kernel.
func compile(t *testing.T, text string, args ...string) ([]byte, error) {
	t.Helper()
	parser, err := exec.LookPath("/usr/sbin/apparmor_parser")
	if err != nil {
		if strings.Contains(os.Getenv("HATCHDOG_REQUIRE"), "apparmor_parser") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.Command(parser, append([]string{"--skip-kernel-load", "--skip-cache", "--kernel-features", "/etc/apparmor.d/abi/3.0"}, args...)...)
	cmd.Stdin = strings.NewReader(text)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Log(errs.String())
	}
	return out, err
}

func TestTheParserTakesThem(t *testing.T) {
	for _, name := range Names() {
		text, ok := Text(name)
		if !ok {
			t.Fatal(name)
		}
		if out, err := compile(t, text, "--stdout", "--Werror"); err != nil || len(out) < 1000 {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
		if out, err := compile(t, text, "--names"); err != nil || strings.TrimSpace(string(out)) != name {
			t.Errorf("%s: %s %v", name, out, err)
		}
		if _, err := compile(t, strings.Replace(text, "ptrace (trace", "ptrace (trice", 1)); err == nil {
			t.Errorf("%s: the parser takes anything: the test proves nothing", name)
		}
	}
}

func TestEachIsNarrowerThanTheOneBefore(t *testing.T) {
	for i, name := range Names()[1:] {
		for _, c := range Grants(name) {
			if !slices.Contains(Grants(Names()[i]), c) {
				t.Errorf("%s grants %s and %s does not", name, c, Names()[i])
			}
		}
	}
	if len(Grants(Untrusted)) != 0 {
		t.Error(Grants(Untrusted))
	}
}

func TestTextOfOthers(t *testing.T) {
	for _, name := range []string{"", "docker-default", "template.txt", "../apparmor.go"} {
		if _, ok := Text(name); ok {
			t.Errorf("%q", name)
		}
	}
}
