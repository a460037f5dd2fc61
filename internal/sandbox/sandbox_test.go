package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestTablesHaveReasons(t *testing.T) {
	for _, n := range hidden {
		if n.pattern == "" || n.reason == "" {
			t.Errorf("%+v", n)
		}
	}
	for _, table := range [][]keptName{keptInProjects, keptInHomes, keptInRepositories} {
		for _, k := range table {
			if k.name == "" || k.reason == "" || strings.Contains(k.name, "/") {
				t.Errorf("%+v", k)
			}
		}
	}
}

func TestHidden(t *testing.T) {
	for name, want := range map[string]bool{
		"/w/.env": true, "/w/api/.env.local": true, "/w/.env.example": false, "/w/env": false, "/home/a/.ssh": true, "/w/.git/hooks": true,
		"/w/.git": false, "/home/a/.config/gcloud": true, "/home/a/.config": false, "/home/a/.bash_history": true, "/home/a/.python_history": true,
		"/home/a/.mozilla": true, "/w/id_ed25519": true, "/w/id_ed25519.pub": false, "/w/x.p12": true, "/home/a/.cargo/credentials.toml": true, ".env": true,
	} {
		if got := Hidden(name) != ""; got != want {
			t.Errorf("%s: hidden %v", name, got)
		}
	}
}

func TestEnviron(t *testing.T) {
	got, err := Environ([]string{"TERM=x", "AWS_SECRET_ACCESS_KEY=k", "HOME=/root", "PATH=/root/bin:/opt/go/bin:/usr/bin", "SSH_AUTH_SOCK=/s", "LD_PRELOAD=/x", "A=1"},
		[]string{"A", "B=2"}, nil, func(dir string) bool { return dir == "/opt/go/bin" })
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(got, "\n")
	for _, no := range []string{"AWS", "SSH", "LD_", "/root"} {
		if strings.Contains(all, no) {
			t.Errorf("%s is handed on:\n%s", no, all)
		}
	}
	for _, yes := range []string{"TERM=x", "A=1", "B=2", "HOME=" + Home, "PATH=/opt/go/bin:/usr/bin:/usr/local/sbin"} {
		if !strings.Contains(all, yes) {
			t.Errorf("no %s in\n%s", yes, all)
		}
	}
	if _, err := Environ(nil, []string{"MISSING"}, nil, func(string) bool { return false }); err == nil {
		t.Error("a variable that is not set is passed over")
	}
}

func tree(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func has2(all []Closed, path string) bool {
	return slices.ContainsFunc(all, func(c Closed) bool { return c.Path == path })
}

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, ".git/config", ".git/hooks/pre-commit", "api/.env", "sub/repo/.git/config", "cert.pem", "key.pem", ".github/workflows/ci.yml")
	if err := os.WriteFile(dir+"/key.pem", []byte("-----BEGIN RSA PRIVATE KEY-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/sub/repo/.git/config", []byte("[remote]\nurl = https://u:tok@host/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("config.prod", dir+"/.env"); err != nil {
		t.Fatal(err)
	}
	tree(t, dir, "config.prod")
	b := &Box{Grants: []Grant{{Path: dir, Dir: true, Write: true}}}
	if err := b.Search(nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{".git/hooks", "api/.env", "key.pem", "sub/repo/.git/config", "config.prod"} {
		if !has2(b.Found.Hidden, filepath.Join(dir, p)) {
			t.Errorf("%s is not hidden: %v", p, b.Found.Hidden)
		}
	}
	if has2(b.Found.Hidden, dir+"/cert.pem") {
		t.Error("a certificate is hidden")
	}
	for _, p := range []string{".git/config", ".github", ".vscode", "sub/repo/.git/hooks", "sub/repo/.vscode"} {
		if !has2(b.Found.Kept, filepath.Join(dir, p)) {
			t.Errorf("%s is not kept: %v", p, b.Found.Kept)
		}
	}
	for _, p := range []string{".git", "sub", "sub/repo", "sub/repo/.git"} {
		if !slices.Contains(b.Found.Anchors, filepath.Join(dir, p)) {
			t.Errorf("%s can be moved away: %v", p, b.Found.Anchors)
		}
	}
}

// A kept name that is a link, or a file with another name, could be replaced.
func TestKeptLinks(t *testing.T) {
	for _, make := range []func(dir string) error{
		func(dir string) error { return os.Symlink("/x", dir+"/.vscode") },
		func(dir string) error { return os.Symlink("x", dir+"/.git") },
		func(dir string) error { return os.Link(dir+"/a/b", dir+"/.bashrc") },
	} {
		dir := t.TempDir()
		tree(t, dir, "a/b")
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		b := &Box{Grants: []Grant{{Path: dir, Dir: true, Write: true}}}
		if err := b.Search([]string{dir}); err == nil {
			t.Error("granted")
		}
	}
}

// Whatever a directory holds, nothing in it that the table names is left open.
func TestSearchFindsAll(t *testing.T) {
	names := []string{".env", ".npmrc", "src", ".git", "hooks", "a", ".aws", "id_rsa", ".config", "gcloud", "node_modules", "x y", "\n", "\xff"}
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "box")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		var made []string
		for range rapid.IntRange(1, 12).Draw(r, "files") {
			p := filepath.Join(rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(r, "path")...)
			if os.MkdirAll(filepath.Join(dir, filepath.Dir(p)), 0o755) == nil && os.WriteFile(filepath.Join(dir, p), nil, 0o644) == nil {
				made = append(made, filepath.Join(dir, p))
			}
		}
		b := &Box{Grants: []Grant{{Path: dir, Dir: true, Write: rapid.Bool().Draw(r, "write")}}}
		if err := b.Search(nil); err != nil {
			r.Fatal(err)
		}
		for _, m := range made {
			for at := m; at != dir; at = filepath.Dir(at) {
				if Hidden(at) != "" && !slices.ContainsFunc(b.Found.Hidden, func(c Closed) bool { return below(c.Path, at) }) {
					r.Fatalf("%q is open: %v", at, b.Found.Hidden)
				}
			}
		}
	})
}

func TestPolicyOfARun(t *testing.T) {
	b := &Box{
		ID: "run-x", Init: "/opt/bin/hatchctl", Exec: true, Allow: []string{"192.0.2.7:443/tcp"}, Limits: Defaults(),
		Grants: []Grant{{Path: "/root/src", Dir: true, Write: true}, {Path: "/srv/x", Dir: true}},
	}
	b.Limits.Memory, b.Limits.Pids, b.Limits.CPU = 3<<30, 1000, 2.5
	text, err := b.Policy("builtin/sandbox")
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.Check("run", text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	pol, err = pol.Before("run", text)
	if err != nil {
		t.Fatal(err)
	}
	p, base := pol.Profiles["box-run-x"], pol.Profiles["builtin/sandbox"]
	if *p.Memory.Max != 3<<30 || *p.Pids.Max != 1000 || *p.CPU.MaxMilli != 2500 || len(p.Egress.Allow) != 1 || len(p.Mounts.WritableOptions) != 0 {
		t.Errorf("%+v", p)
	}
	if got := len(p.Mounts.Allow) - len(base.Mounts.Allow); got != 2 {
		t.Errorf("%d exceptions more than the profile has\n%s", got, text)
	}
	if len(p.Mounts.Protect) != len(base.Mounts.Protect) || len(p.Egress.Deny) != len(base.Egress.Deny)+1 {
		t.Error("it lost what protects")
	}
}

func TestGrants(t *testing.T) {
	for path, want := range map[string]bool{"/": false, "/proc/1": false, "/dev/sda": false, "/home": false, "/box": false, "/box/x": false, "/home/user/x": true, "/run": false, "/srv/a": true, "/var/lib/hatchdog-run/x": false, "/home/alice": true, "/tmp/a\nb": false} {
		b := &Box{}
		if err := b.Grant(Grant{Path: path, Dir: true}); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}
