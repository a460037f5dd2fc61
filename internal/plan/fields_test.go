package plan

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const fieldsFile = "../../docs/fields.md"

// covered says of each member of the OCI schema which control judges it, or why
// none has to. A member stands for what is below it.
func covered() map[string]string {
	const foreign = "of another system: runc and crun do not read it"
	const load = "no control: it shifts load between containers and gives no access"
	return map[string]string{
		"ociVersion": "no control: the low-level runtime takes it or not", "hostname": "no control: the name in the container's own UTS namespace; namespaces refuses the host's",
		"domainname": "no control: as hostname; userns: takes over kernel.domainname", "annotations": "annotations: those that the low-level runtime acts on",
		"solaris": foreign, "windows": foreign, "vm": foreign, "zos": foreign, "freebsd": foreign,

		"process.terminal": "no control: the engine's terminal", "process.consoleSize": "no control: the engine's terminal",
		"process.user.uid": "userns: the ids that the container has; a root without a user namespace is noted", "process.user.gid": "userns: as uid",
		"process.user.umask": "privilege: umask", "process.user.additionalGids": "privilege: deniedGids; userns: the ids that the container has",
		"process.user.username": foreign, "process.args": "no control: what the container runs", "process.commandLine": foreign,
		"process.env": "no control: the process's own; no policy is read from it, and no hook has it", "process.cwd": "privilege: none of a process's own in procfs; mounts: nor by a link of the image (CVE-2024-21626)",
		"process.capabilities": "capabilities; egress: what could undo the rules", "process.rlimits": "privilege: rlimits; userns: RLIMIT_NPROC",
		"process.noNewPrivileges": "privilege: noNewPrivileges", "process.apparmorProfile": "apparmor", "process.oomScoreAdj": "privilege: oomScoreAdjMin",
		"process.scheduler": "privilege: real-time policies and nice values below 0 are taken away", "process.selinuxLabel": "privilege: its type is one of selinuxTypes, its level two categories at most; exec: a further process keeps the container's",
		"process.ioPriority": "privilege: the real-time class is taken away", "process.execCPUAffinity": load,

		"root.path": "mounts: rootfs.allow and what is protected; userns: its file system", "root.readonly": "mounts: rootfs.readOnly",
		"mounts": "mounts: protect, allow, sockets, options and types; userns: id mappings and volumes",

		"hooks.prestart": "hooks", "hooks.createRuntime": "hooks", "hooks.createContainer": "hooks", "hooks.poststart": "hooks", "hooks.poststop": "hooks",
		"hooks.startContainer": "no control: a program of the container, confined as its process is",

		"linux.uidMappings": "userns: no root of the host", "linux.gidMappings": "userns: no root of the host", "linux.sysctl": "sysctls; userns: net.ipv4.ping_group_range",
		"linux.cgroupsPath": "namespaces: none that leads out of the engine's", "linux.namespaces": "namespaces; userns", "linux.devices": "devices", "linux.netDevices": "namespaces: refused",
		"linux.seccomp": "seccomp", "linux.rootfsPropagation": "mounts: never shared", "linux.maskedPaths": "mounts: masked", "linux.readonlyPaths": "mounts: readOnly",
		"linux.mountLabel": "privilege: well formed, its level two categories at most; the kernel checks it", "linux.intelRdt": load, "linux.memoryPolicy": load,
		"linux.personality":       "no control: runc takes LINUX and LINUX32 without flags, and any program may set them",
		"linux.timeOffsets":       "no control: of a time namespace, which runc wants to be the container's own",
		"linux.resources.devices": "devices", "linux.resources.pids": "resources: pids.max",
		"linux.resources.memory.limit": "resources: memory.max", "linux.resources.memory.reservation": "resources: not above the limit", "linux.resources.memory.swap": "resources: memory.swap",
		"linux.resources.memory.kernel": "no control: within the limit", "linux.resources.memory.kernelTCP": "no control: within the limit", "linux.resources.memory.swappiness": load,
		"linux.resources.memory.disableOOMKiller": "resources: never", "linux.resources.memory.useHierarchy": "no control: runc ignores it", "linux.resources.memory.checkBeforeUpdate": "no control: it refuses a limit below what is used",
		"linux.resources.cpu.quota": "resources: cpu.max", "linux.resources.cpu.period": "resources: cpu.max", "linux.resources.cpu.realtimeRuntime": "resources: taken away beside cpu.max", "linux.resources.cpu.realtimePeriod": "resources: as realtimeRuntime",
		"linux.resources.cpu.shares": load, "linux.resources.cpu.burst": load + "; quota holds over time", "linux.resources.cpu.cpus": load, "linux.resources.cpu.mems": load, "linux.resources.cpu.idle": load,
		"linux.resources.blockIO": load, "linux.resources.hugepageLimits": "no control: a limit, which is none where it is missing", "linux.resources.network": "resources: classID is taken away",
		"linux.resources.rdma": "no control: a limit; the device itself is of devices", "linux.resources.unified": "resources: limits by their ceilings, cgroup.* refused",
	}
}

// Each member of the schema is judged by a control, or there is a reason why
// none has to. `make golden` writes the list.
func TestGoldenFields(t *testing.T) {
	reasons, used := covered(), map[string]bool{}
	unclassified(t, reflect.TypeFor[specs.Spec](), "", reasons, used)
	var b strings.Builder
	b.WriteString("# Every field of config.json\n\nThis table says which control judges each member of the OCI runtime spec (" + specs.Version + "),\nor why none has to. " +
		"A member stands for what is below it. One that is not here is unknown: `unknownFields` of the\nprofile says what becomes of it. Made by `make golden`; a member without a line fails the tests.\n\n| member | judged by |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		if !used[name] {
			t.Errorf("%s is no member of the spec", name)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.ReplaceAll(reasons[name], "*", `\*`))
	}
	if *update {
		if err := os.WriteFile(fieldsFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(fieldsFile); err != nil || !bytes.Equal(text, []byte(b.String())) {
		t.Errorf("%s is not what the table says (%v); run make golden", fieldsFile, err)
	}
}

func unclassified(t *testing.T, typ reflect.Type, at string, reasons map[string]string, used map[string]bool) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		t.Errorf("%s: nobody has said which control judges it, or why none has to", at)
		return
	}
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if at != "" {
			name = at + "." + name
		}
		if reasons[name] != "" {
			used[name] = true
			continue
		}
		unclassified(t, typ.Field(i).Type, name, reasons, used)
	}
}
