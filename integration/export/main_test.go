// Package export tries hatchctl export against real receivers: a collector of
// OpenTelemetry, Prometheus, journald, and a parser of syslog that is not ours.
package export

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/policy"
)

var hatchctl string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hatchdog-export-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	hatchctl = filepath.Join(dir, "hatchctl")
	cmd := exec.Command("go", "build", "-C", "../..", "-o", hatchctl, "./cmd/hatchctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintln(os.Stderr, string(out), err)
		return 1
	}
	return m.Run()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return string(data)
}

// hostile is what a container may be called, as far as a log can hold it.
const hostile = "web\"]\n<13>1 - evil | act=none =\\ \u202e\u2028\x1b[2J MESSAGE=x"

// place is a folder with an audit log and a configuration.
type place struct {
	dir string
	cfg policy.Audit
	n   int
}

func newPlace(t *testing.T) *place {
	dir := t.TempDir()
	return &place{dir: dir, cfg: policy.Audit{Path: filepath.Join(dir, "audit.jsonl"), MaxSize: 1 << 20, Keep: 3}}
}

func (p *place) write(t testing.TB, n int) {
	t.Helper()
	for range n {
		p.n++
		must(t, audit.Append(p.cfg, map[string]any{
			"door": "create", "id": fmt.Sprintf("c%d", p.n), "outcome": "refused", "profile": "restricted", "mode": "enforce",
			"workload": map[string]any{"name": hostile, "image": "nginx", "engine": "docker"},
			"refusals": []any{map[string]any{"control": "mounts", "field": "mounts[0]", "reason": "it is the engine's socket"}},
			"changes":  []any{map[string]any{"control": "capabilities"}},
		}, time.Now()))
	}
}

// configure writes a configuration, below a state directory of its own.
func (p *place) configure(t testing.TB, text string) {
	t.Helper()
	text = strings.Replace(text, "version: 1\n", "version: 1\nstate: "+p.dir+"/state\n", 1)
	must(t, os.WriteFile(p.dir+"/export.yaml", []byte(text), 0o600))
}

func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(hatchctl, append([]string{"export", "--config", p.dir + "/export.yaml", "--log", p.cfg.Path, "--state-dir", p.dir + "/records"}, args...)...)
	cmd.Env = append(os.Environ(), "CREDENTIALS_DIRECTORY="+p.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (p *place) once(t testing.TB) {
	t.Helper()
	if out, err := p.command("--once").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// start runs the export until the test ends or kill is called.
func (p *place) start(t testing.TB) (said *output, kill func(syscall.Signal)) {
	t.Helper()
	said = &output{}
	cmd := p.command()
	cmd.Stderr, cmd.Stdout = said, said
	must(t, cmd.Start())
	var once sync.Once
	kill = func(s syscall.Signal) {
		once.Do(func() {
			_ = cmd.Process.Signal(s)
			_ = cmd.Wait()
		})
	}
	t.Cleanup(func() { kill(syscall.SIGKILL) })
	return said, kill
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited a minute for " + what)
		}
	}
}

// example is the configuration that the page has below a heading.
func example(t testing.TB, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, "../../docs/export.md"), "\n## "+heading+"\n")
	m := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindStringSubmatch(rest)
	if !ok || m == nil {
		t.Fatalf("docs/export.md has no example of %s", heading)
	}
	return m[1]
}

// swap replaces what only the reader's own systems have; each must be there.
func swap(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("no %q in\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// certificate makes one for 127.0.0.1; its files are CERT and KEY.
func certificate(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	encoded, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	cert, key = dir+"/cert.pem", dir+"/key.pem"
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), 0o600))
	return cert, key
}
