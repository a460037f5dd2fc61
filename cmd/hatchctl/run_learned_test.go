package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/why"
)

func learnBox() *sandbox.Box {
	return &sandbox.Box{
		Cwd: "/work/shop", Grants: []sandbox.Grant{{Path: "/work/shop", Dir: true}, {Path: "/work/out", Dir: true, Write: true}}, System: sandbox.System{Dirs: []string{"/usr"}},
		Found: sandbox.Found{Hidden: []sandbox.Closed{{Path: "/work/shop/keys", Reason: "keys"}}, Kept: []sandbox.Closed{{Path: "/work/out/.git/config", Reason: "git"}}},
	}
}

func TestLearn(t *testing.T) {
	there := func(path string) (bool, bool) {
		return !strings.Contains(path, "nowhere"), !strings.Contains(path, ".")
	}
	for _, c := range []struct {
		m                        missed
		flag, maybe, twice, none string
	}{
		{m: missed{call: "openat", path: "/work/shop/f.txt", errno: syscall.EROFS, use: why.Write}, flag: "--rw ."},
		{m: missed{call: "mkdir", path: "/work/shop/build/x/y", errno: syscall.EROFS, use: why.Write}, flag: "--rw build"},
		{m: missed{call: "openat", path: "/work/shop/.vscode/tasks.json", errno: syscall.EROFS, use: why.Write}, twice: "--rw /work/shop/.vscode/tasks.json"},
		{m: missed{call: "openat", path: "/work/out/.git/config", errno: syscall.EROFS, use: why.Write}, twice: "--rw /work/out/.git/config"},
		{m: missed{call: "openat", path: "/work/shop/keys/a", errno: syscall.ENOENT}, twice: "--ro /work/shop/keys"},
		{m: missed{call: "openat", path: "/root/.ssh/id_ed25519", errno: syscall.ENOENT}, twice: "--ro /root/.ssh/id_ed25519"},
		{m: missed{call: "openat", path: "/root/.aws/credentials", errno: syscall.ENOENT}, twice: "--ro /root/.aws"},
		{m: missed{call: "openat", path: "/srv/data", errno: syscall.ENOENT}, maybe: "--ro /srv/data"},
		{m: missed{call: "openat", path: "/srv/nowhere", errno: syscall.ENOENT}},
		{m: missed{call: "openat", path: "/usr/lib/x", errno: syscall.ENOENT}},
		{m: missed{call: "openat", path: "/proc/kcore", errno: syscall.EACCES}},
		{m: missed{call: "openat", path: "/etc/shadow", errno: syscall.ENOENT}},
		{m: missed{call: "execve", path: "/work/out/a.out", errno: syscall.EACCES, use: why.Execute}, flag: "--exec"},
		{m: missed{call: "faccessat2", path: "/work/out/a.out", errno: syscall.EACCES}, flag: "--exec"},
		{m: missed{call: "openat", path: "/srv/out/x", errno: syscall.EROFS, use: why.Write}, twice: "--rw /srv/out"},
		{m: missed{call: "mount", errno: syscall.EPERM, filtered: true}, none: "the system call mount"},
		{m: missed{call: "clone3", errno: syscall.ENOSYS, filtered: true}},
		{m: missed{call: "openat", path: "/srv/a\nb", errno: syscall.ENOENT}},
	} {
		got := learn(learnBox(), nil, map[missed]int{c.m: 1}, there)
		twice := ""
		if len(got.Twice) > 0 {
			twice = got.Twice[0].Flag
		}
		if strings.Join(got.Flags, " ") != c.flag || strings.Join(got.Maybe, " ") != c.maybe || twice != c.twice || strings.Join(got.Never, " ") != c.none {
			t.Errorf("%+v: %+v", c.m, got)
		}
	}
	got := learn(learnBox(), []lack{
		{lackMetadata, "packets to 169.254.169.254:80", 9, ""},
		{lackHost, "packets to 10.0.0.1:80", 1, "--allow 10.0.0.1:80/tcp"},
		{lackName, "", 2, "--allow r.example.org:PORT"},
		{lackName, "", 2, "--allow $(evil).example.org:PORT"},
		{lackPackets, "", 1, "--allow 198.51.100.1:443/tcp"},
		{lackPids, "", 7, "--pids 512"},
	}, nil, there)
	if !slices.Equal(got.Flags, []string{"--pids 512", "--allow r.example.org", "--allow 198.51.100.1:443/tcp"}) || len(got.Twice) != 2 {
		t.Errorf("%+v", got)
	}
}

// Whatever a command does, no key, no file that the host runs and no address of a
// cloud's metadata is among the flags.
func TestLearnProposesNothingHidden(t *testing.T) {
	words := []string{"work", "shop", "out", ".ssh", ".aws", ".git", "hooks", "config", ".vscode", ".env", "id_ed25519", ".bashrc", "root", "home", "x", "keys", ".npmrc", "srv"}
	rapid.Check(t, func(t *rapid.T) {
		seen := map[missed]int{}
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 5).Draw(t, "path"), "/")
			if rapid.Bool().Draw(t, "in the grant") {
				path = "/work/shop" + path
			}
			seen[missed{
				call: rapid.SampledFrom([]string{"openat", "execve", "mkdir", "faccessat2"}).Draw(t, "call"), path: path,
				errno: rapid.SampledFrom([]syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.EROFS, syscall.EPERM}).Draw(t, "errno"),
				use:   rapid.SampledFrom([]why.Use{why.Read, why.Write, why.Execute}).Draw(t, "use"),
			}]++
		}
		got := learn(learnBox(), nil, seen, func(string) (bool, bool) { return rapid.Bool().Draw(t, "there"), rapid.Bool().Draw(t, "dir") })
		for _, f := range append(got.Flags, got.Maybe...) {
			_, path, _ := strings.Cut(f, " ")
			for at := "/work/shop/" + path; len(at) > 1; at = at[:strings.LastIndex(at, "/")] {
				if sandbox.Hidden(at) != "" || sandbox.Runs(at) != "" || strings.HasSuffix(at, "/keys") && strings.HasPrefix(at, "/work/shop/keys") {
					t.Fatalf("%s is proposed", f)
				}
			}
		}
	})
}

func TestQuotedWordsAreOnes(t *testing.T) {
	if got := quoted([]string{"a", "b c", "it's", "$(x)", "", "-x=1", "\x1b[2J"}); got != `a 'b c' 'it'\''s' '$(x)' '' -x=1 '\u001b[2J'` {
		t.Error(got)
	}
}
