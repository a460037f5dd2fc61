package lowlevel

import (
	"errors"
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const runcStateText = `{"id":"c1","cgroup_paths":{"pids":"/sys/fs/cgroup/pids/c1"},"config":{
"no_new_privileges":true,"mask_paths":["/proc/kcore"],"readonly_paths":["/proc/sys"],
"capabilities":{"Bounding":["CAP_KILL"],"Effective":["CAP_KILL"],"Inheritable":null,"Permitted":["CAP_KILL"],"Ambient":null},
"cgroups":{"devices":[{"type":97,"major":-1,"minor":-1,"permissions":"rwm","allow":false},{"type":99,"major":1,"minor":3,"permissions":"rw","allow":true}]},
"seccomp":{"default_action":2,"default_errno_ret":38,"architectures":["amd64","x86"],"syscalls":[
{"name":"read","action":4,"errnoRet":null,"args":[]},{"name":"clone","action":4,"args":[{"index":0,"value":2114060288,"value_two":0,"op":7}]}]}}}`

func TestGivenByRunc(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.Mkdir(root+"/c1", 0o700), os.WriteFile(root+"/c1/state.json", []byte(runcStateText), 0o600)); err != nil {
		t.Fatal(err)
	}
	g, err := FindGiven(root, "c1")
	if err != nil {
		t.Fatal(err)
	}
	if !g.NoNewPrivileges || g.MaskedPaths[0] != "/proc/kcore" || g.Capabilities.Bounding[0] != "CAP_KILL" || g.Cgroups["pids"] == "" {
		t.Errorf("%+v", g)
	}
	if len(g.Devices) != 2 || g.Devices[0].Major != nil || g.Devices[1].Type != "c" || *g.Devices[1].Minor != 3 {
		t.Errorf("%+v", g.Devices)
	}
	f := g.Seccomp
	if f.DefaultAction != specs.ActErrno || *f.DefaultErrnoRet != 38 || f.Architectures[0] != specs.ArchX86_64 || f.Architectures[1] != specs.ArchX86 {
		t.Errorf("%+v", f)
	}
	if r := f.Syscalls[1]; r.Names[0] != "clone" || r.Action != specs.ActAllow || r.Args[0].Op != specs.OpMaskedEqual || r.Args[0].Value != 2114060288 {
		t.Errorf("%+v", r)
	}
}

func TestGivenByCrun(t *testing.T) {
	root := t.TempDir()
	err := errors.Join(os.Mkdir(root+"/c1", 0o700),
		os.WriteFile(root+"/c1/config.json", []byte(`{"process":{"noNewPrivileges":true},"linux":{"maskedPaths":["/x"],"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}}`), 0o600),
		os.WriteFile(root+"/c1/status", []byte(`{"pid":1,"cgroup-path":"/a/b"}`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	g, err := FindGiven(root, "c1")
	if err != nil || !g.NoNewPrivileges || g.Seccomp == nil || g.MaskedPaths[0] != "/x" || len(g.Cgroups) == 0 {
		t.Errorf("%+v %v", g, err)
	}
}

// A number that is not known is no filter that allows.
func TestGivenFilterOfAnotherForm(t *testing.T) {
	for _, text := range []string{
		`{"config":{"seccomp":{"default_action":77}}}`, `{"config":{"seccomp":{"default_action":2,"syscalls":[{"name":"x","action":0}]}}}`,
		`{"config":{"seccomp":{"default_action":2,"syscalls":[{"name":"x","action":4,"args":[{"op":9}]}]}}}`,
	} {
		if _, err := givenByRunc([]byte(text)); !errors.Is(err, errFilterForm) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
