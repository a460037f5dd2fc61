package door

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// living is a store with the record of a container that lives, and owns things.
func living(t *testing.T, w workload.Workload, bundle string, things ...decision.Thing) decision.Store {
	t.Helper()
	base, root := t.TempDir(), t.TempDir()
	if err := os.Chmod(base, 0o711); err != nil {
		t.Fatal(err)
	}
	store := decision.Store{Base: base}
	claim, err := store.Claim(root, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, thing := range things {
		if err := store.Owned(claim.Dir(), thing); err != nil {
			t.Fatal(err)
		}
	}
	rec := &decision.Record{Decision: decision.Decision{ID: w.ID, Root: root, Bundle: bundle, Workload: w, Runtime: decision.Runtime{Path: "/runc"}}}
	if err := claim.Commit(rec, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, w.ID), 0o700); err != nil {
		t.Fatal(err)
	}
	return store
}

// recordOf is the one record of a store.
func recordOf(t *testing.T, s decision.Store) string {
	t.Helper()
	all, err := filepath.Glob(s.Base + "/*/web/record.json")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return filepath.Dir(all[0])
}

// What the records show to be another living container's own is refused, with
// its name, and admitted where the profile says so.
func TestWhatIsAnothersIsRefused(t *testing.T) {
	rootID, netID := host.FileID{Dev: 7, Ino: 9}, host.FileID{Dev: 4, Ino: 99}
	upperID, aboveID := host.FileID{Dev: 8, Ino: 9}, host.FileID{Dev: 7, Ino: 2}
	opened := policy.MountRules{Allow: []policy.PathRule{{Path: "/opened", Access: policy.AccessRW}}}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	mine := strings.SplitN(strings.TrimSpace(strings.Split(string(own), "\n")[0]), ":", 3)[2]
	for i, c := range []struct {
		group, root, mount, ns string
		source                 host.Source
		ask                    workload.Workload
		want                   string
	}{
		{group: "/docker/web/sub", want: "linux.cgroupsPath"},
		{group: "/docker/web", want: "linux.cgroupsPath"},
		{group: "docker/web/../web/x", want: "linux.cgroupsPath"},
		{group: "system.slice:docker:web", want: "linux.cgroupsPath"},
		{group: "/docker/other"},
		{group: "/docker/webs"},
		{root: "/x", want: "root.path"},
		{mount: "/x", source: host.Source{ID: rootID, Dir: true}, want: "mounts[/m].source"},
		{mount: "/x", source: host.Source{Within: []host.FileID{{Dev: 7, Ino: 10}, rootID}}, want: "mounts[/m].source"},
		{mount: "/x", source: host.Source{Within: []host.FileID{{Dev: 7, Ino: 10}, upperID}}, want: "mounts[/m].source"},
		{mount: "/x", source: host.Source{Mounted: []host.FileID{rootID}, Dir: true}, want: "mounts[/m].source"},
		{mount: "/x", source: host.Source{ID: aboveID, Dir: true}, want: "mounts[/m].source"},
		{mount: "/x", source: host.Source{ID: aboveID, Resolved: "/opened", Dir: true}},
		{mount: "/x", source: host.Source{ID: host.FileID{Dev: 7, Ino: 11}, Dir: true}},
		{ns: "/run/netns/x", want: "linux.namespaces[network].path"},
		{ns: "/run/netns/x", ask: workload.Workload{Engine: workload.CRI}, want: "linux.namespaces[network].path"},
		{ns: "/run/netns/x", ask: workload.Workload{Engine: workload.Docker}},
		{ns: fmt.Sprintf("/proc/%d/ns/net", os.Getpid()), want: map[bool]string{true: "linux.namespaces[network].path"}[mine != "/"]},
	} {
		group := decision.Group("/docker/web")
		switch {
		case strings.Contains(c.group, ":"):
			group = decision.Group("docker-web.scope")
		case strings.HasPrefix(c.ns, "/proc/") && mine != "/":
			group = groupsOf(mine)[0].thing
		}
		store := living(t, workload.Workload{Engine: workload.Docker, ID: "web"}, "/b/web", group, decision.RootFS(rootID), decision.Upper(upperID), decision.NetworkNamespace(netID))
		if err := store.OwnedBelow(recordOf(t, store), []host.FileID{{Dev: 7, Ino: 1}, aboveID}); err != nil {
			t.Fatal(err)
		}
		s := &specs.Spec{Linux: &specs.Linux{CgroupsPath: c.group}}
		f := host.Facts{Sources: map[string]host.Source{}, Joined: map[string]host.JoinedNamespace{}}
		if c.root != "" {
			f.Root = &host.Root{Source: host.Source{ID: rootID}}
		}
		if c.mount != "" {
			s.Mounts = []specs.Mount{{Destination: "/m", Type: "bind", Source: "/asked"}}
			f.Sources["/asked"] = c.source
		}
		if c.ns != "" {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: c.ns}}
			if !strings.HasPrefix(c.ns, "/proc/") {
				f.Joined[c.ns] = host.JoinedNamespace{ID: netID}
			}
		}
		o := others{store, "/none", c.ask, "/b/own", &policy.Profile{Others: policy.OthersRefuse, Mounts: opened}}
		all := o.refusals(s, f)
		if c.want == "" && len(all) > 0 || c.want != "" && (len(all) != 1 || all[0].Field != c.want || !strings.Contains(all[0].Error(), "container web's own")) {
			t.Errorf("case %d: %v", i, all)
		}
		o.p = &policy.Profile{Others: policy.OthersAdmit}
		if all := o.refusals(s, f); len(all) > 0 {
			t.Errorf("case %d, admitted: %v", i, all)
		}
	}
}

func TestTheContainersOfAPodBelongTogether(t *testing.T) {
	netID := host.FileID{Dev: 4, Ino: 99}
	store := living(t, workload.Workload{Engine: workload.CRI, ID: "s1", Sandbox: true, PodUID: "u1"}, "/b/s1", decision.NetworkNamespace(netID))
	s := &specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/run/netns/x"}}}}
	f := host.Facts{Joined: map[string]host.JoinedNamespace{"/run/netns/x": {ID: netID}}}
	for who, want := range map[*workload.Workload]bool{
		{Engine: workload.CRI, ID: "a", PodUID: "u1", SandboxID: "s1"}: true,
		{Engine: workload.CRI, ID: "a", SandboxID: "s1"}:               true,
		{Engine: workload.CRI, ID: "a", PodUID: "u2", SandboxID: "s2"}: false,
		{Engine: workload.Ctr, ID: "a", SandboxID: "s1"}:               false,
	} {
		o := others{store, "/none", *who, "/b/a", &policy.Profile{Others: policy.OthersRefuse}}
		if got := len(o.refusals(s, f)) == 0; got != want {
			t.Errorf("%+v: %v", who, got)
		}
	}
}

// What a dead container owned is nobody's.
func TestTheDeadOwnNothing(t *testing.T) {
	id := host.FileID{Dev: 7, Ino: 9}
	store := living(t, workload.Workload{Engine: workload.Docker, ID: "web"}, "/b/web", decision.RootFS(id))
	owner := store.Owner(decision.RootFS(id))
	if owner == nil {
		t.Fatal("nobody owns it")
	}
	if err := store.Release(owner.Decision.Root, "web", store.Holder(owner.Decision.Root, "web")); err != nil {
		t.Fatal(err)
	}
	if store.Owner(decision.RootFS(id)) != nil {
		t.Error("it is still owned")
	}
	left, err := os.ReadDir(filepath.Join(store.Base, "@own"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// A create of the same id that was cut off leaves nothing owned.
func TestAnotherTryOwnsWhatIsNow(t *testing.T) {
	first, second := host.FileID{Dev: 7, Ino: 9}, host.FileID{Dev: 7, Ino: 10}
	store := living(t, workload.Workload{Engine: workload.Docker, ID: "web"}, "/b/web", decision.RootFS(first), decision.RootFS(second))
	if store.Owner(decision.RootFS(first)) != nil || store.Owner(decision.RootFS(second)) == nil {
		t.Error("it owns what the first try had")
	}
}

// Of several containers whose roots lie in a folder, each that lives is found,
// and what is left of none is taken away.
func TestRootsBelowAFolder(t *testing.T) {
	store := living(t, workload.Workload{Engine: workload.Docker, ID: "web"}, "/b/web")
	dir, id := recordOf(t, store), host.FileID{Dev: 7, Ino: 2}
	if err := store.OwnedBelow(dir, []host.FileID{id}); err != nil {
		t.Fatal(err)
	}
	nobody := func(*decision.Record) bool { return false }
	if rec := store.Below(id, nobody); rec == nil || rec.Decision.ID != "web" {
		t.Fatalf("%+v", rec)
	}
	if rec := store.Below(id, func(*decision.Record) bool { return true }); rec != nil {
		t.Errorf("admitted, and found: %+v", rec)
	}
	root := store.Below(id, nobody).Decision.Root
	if err := store.Release(root, "web", store.Holder(root, "web")); err != nil {
		t.Fatal(err)
	}
	if rec := store.Below(id, nobody); rec != nil {
		t.Errorf("gone, and found: %+v", rec)
	}
	if left, _ := filepath.Glob(store.Base + "/@own/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
