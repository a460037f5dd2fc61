package compatibility

const opening = "# What it was tried with\n\n" +
	"The tests make this page (`make golden`). `make test` runs them all, against daemons that it\n" +
	"starts itself. `make test-vm` runs those of the virtual machine (Debian 12, kernel 6.1,\n" +
	"AppArmor, control groups of version 2), with both Dockers and both drivers of control\n" +
	"groups. A cell says so where something was not tried.\n\n" +
	"## Engines\n\nEach cell names the test. Docker 20.10 is Debian's, over containerd 1.6; Docker 29 is moby\n" +
	"v2.0.0-beta.24 over containerd 2.4, with containerd's image store; Podman is Debian's of\n" +
	"bookworm (4.3) and of sid (5.8), each with its own conmon.\n" +
	"nerdctl v2.2.2 over containerd 2.4: run, exec, logs, volumes, networks, ports and refusals (`TestNerdctl`),\n" +
	"compose (`TestNerdctlCompose`). buildkitd v0.34.2: `TestBuildKit`.\n" +
	"CRI-O v1.35.2 with Debian's conmon: pods of both kinds, exec, their network, refusals (`TestCRIO`). All three\n" +
	"with `make test-engines`.\n" +
	"Kubernetes is v1.36.3 over containerd 2.4 (`make test-k8s`, docs/kubernetes.md).\n\n"

var engines = []string{"Docker 20.10", "Docker 29", "containerd 1.6", "containerd 2.4", "CRI of containerd 2.4", "Podman 4.3 and 5.8", "Podman 4.3 and 5.8 without root", "Kubernetes 1.36"}

// features are tried by a test for each engine, in the order of engines. None:
// not tried.
var features = []struct {
	name  string
	tests []string
}{
	{"run, exec", both("TestDockerInside", "TestContainerd", "TestContainerd", "TestCRILife", "TestPodmanLife", "TestPodmanWithoutRoot", "TestCluster")},
	{"exit codes 125, 126, 127, 137", both("TestDockerExitCodes", "", "", "", "", "", "")},
	{"cp, commit, diff, logs, events, rename, top, stats, pause", both("TestDockerVerbs", "", "", "", "TestPodmanFurther (commit, cp of a stopped one)", "TestPodmanFurtherWithoutRoot (commit, cp)", "")},
	{"attach, standard input", both("TestDockerAttach", "", "", "TestCRILife", "", "", "TestCluster")},
	{"ulimit, shm-size, sysctl, device, cgroup parent, ipc, dns", both("TestDockerOptions", "", "", "", "", "", "")},
	{"health checks, restart on failure", both("TestDockerHealthAndRestart", "", "", "", "TestPodmanFurther (checks)", "TestPodmanFurtherWithoutRoot (checks)", "TestCluster")},
	{"volumes, volumes of others", both("TestDockerVolumes", "", "", "", "TestPodmanLife", "TestPodmanWithoutRoot", "TestCluster")},
	{"a part of a volume", []string{"no such option", "TestDockerVolumes", "", "", "", "", "", "TestCluster"}},
	{"BuildKit's RUN through hatchdog", []string{"no: it calls runc by its name", "TestDockerBuild", "", "", "", "no: of Docker", "no: of Docker", "no: of Docker"}},
	{"play kube, build with RUN through hatchdog", []string{"", "", "", "", "", "TestPodmanFurther", "TestPodmanFurtherWithoutRoot (4.3 gives RUN the host's /sys: refused until mounts.allow has it)", "no: of Podman"}},
	{"Compose v5.6", []string{"", "TestCompose", "", "", "", "", "", "no: of Docker"}},
	{"update of limits", both("TestDockerLimitsOnTheHost", "", "", "", "", "", "TestCluster")},
	{"namespaces of another container", both("TestUserNSJoined", "", "", "TestCRI", "TestPodmanPod", "TestPodmanPodWithoutRoot", "TestCluster")},
	{"networks connected while it runs", both("TestDockerNetworkOfARunningContainer", "", "", "", "", "", "")},
	{"user namespace", both("TestUserNSDocker", "", "", "TestCRILife", "TestPodmanOverlay", "TestPodmanIDsWithoutRoot (host, auto, nomap, keep-id)", "TestCluster")},
	{"slirp4netns, pasta (5.8)", []string{"no: of Podman", "no: of Podman", "", "", "", "", "TestPodmanNetworkWithoutRoot", "no: of Podman"}},
	{"the firewall", both("TestEgressDocker", "", "", "TestCRI", "", "no: the profile says why", "TestClusterNetwork")},
	{"refusals and their text", both("TestDockerRefusals", "TestContainerd", "TestContainerd", "TestCRI", "", "TestPodmanWithoutRoot", "TestCluster")},
	{"the daemon killed, containers live on", both("TestDockerdKilled", "", "", "TestCRILife", "", "", "TestCluster")},
	{"the shim of ours", both("", "", "TestShim", "TestCRI", "", "", "TestCluster")},
	{"its specs are golden files", []string{"", "TestCurrentDockersSpecs", "", "TestCurrentContainerdsSpecs", "TestCurrentContainerdsSpecs", "", "", ""}},
}

// both are the two Dockers, then the others.
func both(docker string, others ...string) []string {
	return append([]string{docker, docker}, others...)
}

const imagesOpening = "\nLow-level runtimes: runc 1.5.2; Debian's 1.1.5, where the policy accepts it (`TestAcceptedRuntime`);\n" +
	"crun 1.28 of Debian's sid (`TestNewestCrunAsTheDelegate`), and crun 1.8 in the virtual machine\n" +
	"(`TestCrunAsTheDelegate`). crun starts no container where control groups of both versions are\n" +
	"mounted. crun 1.8 has a known way out, no `features`, and no time namespace without a user namespace:\n" +
	"update it.\n\n" +
	"A volume whose file system does not answer (FUSE, NFS) holds a start up until it answers or is given up, under runc\n" +
	"alone as with hatchdog (`TestVolumeThatDoesNotAnswer`).\n\n" +
	"## Official images\n\nThese are forty that are used much, chosen by hand. The tests pulled no image: they did the steps of its entry point over\n" +
	"Debian's package of the program, under Docker 29 with a user namespace (`TestEntryPoints`,\n" +
	"`integration/entries_test.go`). \"runs\" is unchanged, under the built-in profile as it is;\n" +
	"otherwise the cell has the lines, added one after the other until it ran, of a profile that extends it; (1) and (2) are\n\n" +
	"1. `" + stepDown + "`: to start as root, give files away and step down to a user\n" +
	"2. `" + writable + "`: to write beside volumes and /tmp, /run, /var/tmp, /var/cache, /var/log, and to run what was written there\n\n| image | restricted | untrusted |\n|---|---|---|\n"

const (
	stepDown = "capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL]}"
	writable = "rootfs: {readOnly: false}"
)

var images = []string{
	"alpine", "nginx", "busybox", "ubuntu", "python", "redis", "postgres", "node", "httpd", "mongo",
	"mysql", "memcached", "traefik", "mariadb", "docker", "rabbitmq", "hello-world", "openjdk", "golang", "registry",
	"wordpress", "debian", "php", "consul", "influxdb", "nextcloud", "sonarqube", "ruby", "haproxy", "elasticsearch",
	"tomcat", "eclipse-mosquitto", "caddy", "telegraf", "vault", "adminer", "ghost", "bash", "nats", "kong",
}

// stands are what comes near an image that was not tried.
var stands = map[string]string{
	"mysql": "mariadb's steps are the same", "golang": "`TestProgramsUnderTables` runs programs of Go",
	"ubuntu": "as debian", "vault": "`TestFileCapabilities` starts a program with its file capability",
	"alpine": "busybox, with glibc", "hello-world": "any program of one file",
}

// reasons are why an entry point does not run, and what would help.
var reasons = map[string]string{
	"image docker, dind":      "`--privileged` is refused: the host's devices (devices.allow), and what a daemon of containers needs beyond it",
	"FUSE":                    "no /dev/fuse: it needs the device (devices.allow), CAP_SYS_ADMIN and `mount`",
	"mount, in the container": "CAP_SYS_ADMIN and the system call are no container's; `--tmpfs` or a volume",
	"sysctl -w":               "/proc/sys is read-only; `--sysctl`, and `sysctls.allow` for what is not safe",
	"a user namespace (bubblewrap, Chrome's sandbox)": "`unshare` and `clone` for new namespaces are denied (docs/seccomp.md), as on a kernel that forbids it",
}

const programsOpening = "\n## Programs that entry points run\n\nAccounts, stepping down, supervisors, mail, packages: `integration/entries_tools_test.go`.\n\n" +
	"| program | restricted | untrusted |\n|---|---|---|\n"

const closing = `
A setuid program gives nothing under noNewPrivileges; sudo says so itself ("The 'no new
privileges' flag is set"). sshd and postfix confine parts of themselves with chroot,
which is CAP_SYS_CHROOT; without it they end with "chroot: Operation not permitted".

Also: ` + "`TestServersUnderRestricted`, `TestUserNSServersOnBinds`" + ` (nginx, redis, postgres; first
start and restart, volumes and binds, both Dockers), ` + "`TestProgramsUnderTables`" + ` (python,
node, java, go, git, gcc, curl, mariadb), ` + "`TestFileCapabilities`" + ` (as caddy, coredns and
vault have them).

npm, musl, SELinux and the images of a registry, official or not, were not tried.
k0s, MicroK8s and rke2 were tried only by the layout of their files
(` + "`internal/engine`, `TestRelocated*`" + `).
`
