package integration

import (
	"archive/tar"
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What `docker run` is asked for beside the image, seen from inside.
func TestDockerOptions(t *testing.T) {
	eachDocker(t, dockerOptions)
}

func dockerOptions(t *testing.T, d *docker) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"ulimit":           {[]string{"--ulimit", "nofile=77:88", "busybox", "sh", "-c", "ulimit -Sn; ulimit -Hn"}, "77\n88"},
		"shm-size":         {[]string{"--shm-size=16m", "busybox", "df", "-k", "/dev/shm"}, "16384"},
		"safe sysctl":      {[]string{"--sysctl", "net.ipv4.ip_local_port_range=20000 20100", "busybox", "cat", "/proc/sys/net/ipv4/ip_local_port_range"}, "20000\t20100"},
		"a default device": {[]string{"--device", "/dev/zero", "busybox", "sh", "-c", "head -c 3 /dev/zero | wc -c"}, "3"},
		"cgroup parent":    {[]string{"--cgroup-parent", "/hatchdog-it-parent", "busybox", "grep", "-c", "pids", "/proc/self/cgroup"}, "1"},
		"ipc none":         {[]string{"--ipc=none", "busybox", "sh", "-c", "ls /dev/shm 2>&1; echo done"}, "done"},
		"ipc shareable":    {[]string{"--ipc=shareable", "busybox", "sh", "-c", "echo x >/dev/shm/f && cat /dev/shm/f"}, "x"},
		"hostname":         {[]string{"-h", "named", "busybox", "hostname"}, "named"},
		"workdir, env":     {[]string{"-w", "/made", "-e", "A=b", "busybox", "sh", "-c", "pwd; echo $A"}, "/made\nb"},
		"groups":           {[]string{"--group-add", "44", "busybox", "id"}, "44"},
		"dns":              {[]string{"--dns", "192.0.2.53", "busybox", "cat", "/etc/resolv.conf"}, "nameserver 192.0.2.53"},
		"oom score":        {[]string{"--oom-score-adj", "500", "busybox", "cat", "/proc/self/oom_score_adj"}, "500"},
	} {
		out, code := d.run(t, c.args...)
		if code != 0 || !strings.Contains(strings.ReplaceAll(out, "\r", ""), c.want) {
			t.Errorf("%s: exit code %d, want %q in\n%s", name, code, c.want, out)
		}
	}
	// On control groups of version 1 docker leaves the parent that it made.
	t.Cleanup(func() { removeGroups("/sys/fs/cgroup/*/hatchdog-it-parent") })
	// Without a driver Docker itself says no; hatchdog never sees a request.
	if out, code := d.run(t, "--gpus", "all", "busybox", "true"); code == 0 || !strings.Contains(strings.ToLower(out), "gpu") {
		t.Errorf("--gpus without a driver: %d %s", code, out)
	}
}

// Each exit code of `docker run` means what Docker says that it means.
func TestDockerExitCodes(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		for name, c := range map[string]struct {
			args []string
			want int
		}{
			"its own":           {[]string{"busybox", "sh", "-c", "exit 3"}, 3},
			"refused":           {[]string{"--pid=host", "busybox", "true"}, 125},
			"a bad flag":        {[]string{"--memory", "1", "busybox", "true"}, 125},
			"not executable":    {[]string{"busybox", "/etc/passwd"}, 126},
			"not found":         {[]string{"busybox", "/nothing"}, 127},
			"not found on PATH": {[]string{"busybox", "nothing"}, 127},
			"killed":            {[]string{"--init", "busybox", "sh", "-c", "kill -KILL $$"}, 137},
			"terminated":        {[]string{"--init", "busybox", "sh", "-c", "kill -TERM $$"}, 143},
		} {
			if out, code := d.run(t, c.args...); code != c.want {
				t.Errorf("%s: exit code %d, want %d\n%s", name, code, c.want, out)
			}
		}
		id := d.background(t, "busybox", "sleep", "600")
		plain := d.plain(t)
		for _, program := range []string{"/etc/passwd", "/nothing", "nothing", "false"} {
			_, want := d.try(t, "exec", plain, program) // 20.10 has 126 for what is not there
			if out, code := d.try(t, "exec", id, program); code != want {
				t.Errorf("exec %s: exit code %d, under runc %d: %s", program, code, want, out)
			}
		}
		// What the kernel kills for memory ends as killed, and the engine is told.
		id = d.background(t, "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c", "head -c 200m /dev/zero | tail")
		wantLines(t, d.do(t, "wait", id), "137")
	})
}

// A container that runs is renamed, watched, copied from and to, waited for.
func TestDockerVerbs(t *testing.T) {
	eachDocker(t, dockerVerbs)
}

func dockerVerbs(t *testing.T, d *docker) {
	id := d.background(t, "--name", "verbs", "busybox", "sh", "-c", "while read line; do echo heard $line; done; sleep 600")
	d.do(t, "rename", "verbs", "renamed")
	wantLines(t, d.do(t, "ps", "--format", "{{.Names}} {{.Status}}"), "renamed Up")
	wantLines(t, d.do(t, "top", "renamed", "-o", "pid,comm"), "sleep")
	wantLines(t, d.do(t, "stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "renamed"), "renamed ")

	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/tree/below", 0o750))
	must(t, os.WriteFile(dir+"/tree/below/f", []byte("copied"), 0o640))
	d.do(t, "cp", dir+"/tree", id+":/in")
	wantLines(t, d.do(t, "exec", id, "sh", "-c", "cat /in/below/f; stat -c ' %u %a' /in/below/f; echo back >/in/below/g; chown 33 /in/below/g"), "copied 0 640")
	d.do(t, "cp", id+":/in", dir+"/out")
	if got := read(t, dir+"/out/below/g"); got != "back\n" {
		t.Errorf("copied out: %q", got)
	}
	archive, err := d.command("cp", id+":/in/below/g", "-").Output()
	must(t, err)
	header, err := tar.NewReader(bytes.NewReader(archive)).Next()
	must(t, err)
	if header.Uid != 33 {
		t.Errorf("what is copied out belongs to %d, inside to 33", header.Uid)
	}

	d.do(t, "pause", id)
	wantLines(t, d.do(t, "inspect", "-f", "{{.State.Status}}", id), "paused")
	if _, code := d.try(t, "exec", id, "true"); code == 0 {
		t.Error("exec in a paused container")
	}
	d.do(t, "unpause", id)
	d.do(t, "exec", id, "true")
	wantLines(t, d.do(t, "diff", id), "A /in/below/g")
	d.do(t, "exec", id, "sh", "-c", "echo kept >/kept")
	d.do(t, "commit", "-c", "CMD cat /kept", id, "committed-verbs")
	t.Cleanup(func() { d.try(t, "rmi", "-f", "committed-verbs") })
	if out, code := d.run(t, "committed-verbs"); code != 0 || out != "kept\n" {
		t.Errorf("of the committed image: %d %q", code, out)
	}
	d.do(t, "kill", "-s", "KILL", id)
	wantLines(t, d.do(t, "wait", id), "137")
	events := d.do(t, "events", "--since", "10m", "--until", strconv.FormatInt(time.Now().Unix()+2, 10), "--filter", "container="+id, "--format", "{{.Action}}")
	for _, want := range []string{"create", "start", "rename", "pause", "unpause", "kill", "die"} {
		if !strings.Contains("\n"+events, "\n"+want+"\n") {
			t.Errorf("no event %s in\n%s", want, events)
		}
	}
}

// Standard streams go through, at start and later.
func TestDockerAttach(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		cmd := d.command("run", "--rm", "-i", "--runtime=hatchdog", "busybox", "sh", "-c", "read x; echo got $x; echo complaint >&2; exit 4")
		cmd.Stdin = strings.NewReader("a word\n")
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 4 {
			t.Errorf("exit code %d, %v", cmd.ProcessState.ExitCode(), err)
		}
		wantLines(t, string(out), "got a word", "complaint")

		id := d.background(t, "-i", "busybox", "sh", "-c", "read x; echo heard $x; sleep 1; exit 6")
		attach := d.command("attach", id)
		in, err := attach.StdinPipe() // left open: at its end 20.10 stops listening
		must(t, err)
		_, err = in.Write([]byte("later\n"))
		must(t, err)
		out, _ = attach.CombinedOutput()
		wantLines(t, string(out), "heard later")
		if code := attach.ProcessState.ExitCode(); code != 6 {
			t.Errorf("attach: exit code %d", code)
		}
		wantLines(t, d.do(t, "logs", "--timestamps", id), "Z heard later")
	})
}

// Health checks run as further processes, and Docker starts again what failed.
func TestDockerHealthAndRestart(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		id := d.background(t, "--health-cmd", "grep CapEff /proc/self/status; test -e /well", "--health-interval", "1s", "--health-retries", "2", "busybox", "sh", "-c", "touch /well; sleep 600")
		health := func() string { return strings.TrimSpace(d.do(t, "inspect", "-f", "{{.State.Health.Status}}", id)) }
		waitFor(t, "healthy", func() bool { return health() == "healthy" })
		wantLines(t, d.do(t, "inspect", "-f", "{{(index .State.Health.Log 0).Output}}", id), restrictedCaps)
		d.do(t, "exec", id, "rm", "/well")
		waitFor(t, "unhealthy", func() bool { return health() == "unhealthy" })

		id = d.background(t, "--restart", "on-failure:3", "busybox", "sh", "-c", "echo x >>/count; [ $(wc -l </count) -ge 3 ] || exit 1")
		waitFor(t, "the third try", func() bool {
			return strings.TrimSpace(d.do(t, "inspect", "-f", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", id)) == "2 exited 0"
		})
		// A refusal is not tried for ever: Docker does not restart what never started.
		out, code := d.try(t, "run", "-d", "--name", "hopeless", "--restart", "always", "--runtime=hatchdog", "--pid=host", "busybox", "true")
		t.Cleanup(func() { d.try(t, "rm", "-f", "hopeless") })
		if code != 125 || !strings.Contains(out, "namespaces.host") {
			t.Errorf("exit code %d: %s", code, out)
		}
		wantLines(t, d.do(t, "inspect", "-f", "{{.RestartCount}}", "hopeless"), "0")
	})
}

// Volumes come along from another container, and a part of one can be mounted.
func TestDockerVolumes(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		t.Cleanup(func() { d.try(t, "volume", "rm", "-f", "hatchdog-parts") })
		first := d.background(t, "-v", "hatchdog-parts:/data", "busybox", "sh", "-c", "mkdir /data/sub; echo part >/data/sub/f; echo whole >/data/f; sleep 600")
		waitFor(t, "its files", func() bool { _, code := d.try(t, "exec", first, "test", "-e", "/data/f"); return code == 0 })
		out, code := d.run(t, "--volumes-from", first, "busybox", "sh", "-c", "cat /data/f; echo more >/data/more")
		if code != 0 || out != "whole\n" {
			t.Errorf("--volumes-from: %d %s", code, out)
		}
		wantLines(t, d.do(t, "exec", first, "cat", "/data/more"), "more")
		out, code = d.run(t, "--volumes-from", first+":ro", "busybox", "sh", "-c", "echo x 2>&1 >/data/x")
		if code == 0 || !strings.Contains(out, "Read-only") {
			t.Errorf("--volumes-from :ro: %d %s", code, out)
		}
		if d == dockers[0] {
			return // Docker 20.10 has no parts of volumes
		}
		out, code = d.run(t, "--mount", "type=volume,src=hatchdog-parts,dst=/x,volume-subpath=sub", "busybox", "sh", "-c", "cat /x/f; echo y >/x/g; ls /x")
		if code != 0 || out != "part\nf\ng\n" {
			t.Errorf("volume-subpath: %d %s", code, out)
		}
		wantLines(t, d.do(t, "exec", first, "cat", "/data/sub/g"), "y")
	})
}

// A network that comes or goes under a container that runs is there, and held to
// the same rules.
func TestDockerNetworkOfARunningContainer(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		for _, n := range []string{"hatchdog-one", "hatchdog-two"} {
			d.do(t, "network", "create", n)
			t.Cleanup(func() { d.try(t, "network", "rm", n) })
		}
		server := d.background(t, "--network", "hatchdog-two", "--name", "listener", "busybox", "reach", "serve=:80")
		id := d.background(t, "--network", "hatchdog-one", "--name", "mover", "busybox", "sleep", "600")
		ask := func(want map[string]bool) {
			t.Helper()
			wantReach(t, d.do(t, append([]string{"exec", id, "reach"}, keys(want)...)...), want)
		}
		ask(map[string]bool{"tcp=listener:80": false})
		d.do(t, "network", "connect", "hatchdog-two", "mover")
		gateway := strings.TrimSpace(d.do(t, "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "hatchdog-two"))
		ask(map[string]bool{"tcp=listener:80": true, "tcp=" + gateway + ":8080": false, "tcp=" + metadataAddr + ":80": false})
		d.do(t, "network", "disconnect", "hatchdog-two", "mover")
		ask(map[string]bool{"tcp=listener:80": false})
		d.do(t, "exec", server, "true")
	})
}
