package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seen is what a step of a build says about itself, and later its image.
const seen = `FROM busybox
RUN grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status >/made && cat /proc/self/uid_map >>/made && mkdir /d && chown 1000:1000 /d && chmod 750 /d
`

// kept are steps that name all kinds of mounts, and what they find there.
const kept = `FROM busybox AS other
RUN mkdir /part && echo other >/part/file
FROM busybox
COPY --from=other /part/file /copied
RUN --mount=type=cache,target=/cache echo cached >/cache/file
RUN --mount=type=cache,target=/cache --mount=type=bind,from=other,source=/part,target=/from --mount=type=tmpfs,target=/scratch \
 --mount=type=secret,id=token,target=/token touch /scratch/x && cat /cache/file /from/file /token /copied >/made && ip -o -4 addr show scope global >>/made
`

// The steps of a build call no runtime of the daemon, its default one neither,
// but the runc on its PATH, or from Docker 23 on what the variable names that
// hatchctl install --set-default writes into the daemon's unit.
func TestDockerBuild(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		plain := func() {
			t.Helper()
			if said := d.built(t, "plain", seen); strings.Contains(said, restrictedCaps) || !strings.Contains(said, "NoNewPrivs:\t0") {
				t.Errorf("a step goes through hatchdog: %s", said)
			}
		}
		plain()
		d.again(t, "DOCKER_BUILDKIT_RUNC_COMMAND="+tested.hatchdog)
		t.Cleanup(func() { d.again(t) })
		if d == dockers[0] {
			plain()
			return
		}
		said := d.built(t, "confined", seen)
		wantLines(t, said, "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1", "Seccomp:\t2")
		if strings.Contains(said, "4294967295") {
			t.Errorf("a step has no user namespace: %s", said)
		}
		owner, _ := d.run(t, "confined", "stat", "-c", "%u %g %a", "/d")
		wantLines(t, owner, "1000 1000 750")
		wantLines(t, d.built(t, "mounts", kept), "cached", "other", "a secret", "inet ")
		for step, why := range map[string]string{
			"--network=host": "namespaces.host",
			"--mount=type=bind,from=other,source=/,target=/from": `a file system of type "overlay"`, // of the whole of a stage
		} {
			out, code := d.build(t, "refused", "FROM busybox AS other\nRUN echo >/x\nFROM busybox\nRUN "+step+" true\n", "--allow", "network.host")
			if code == 0 || !strings.Contains(out, why) {
				t.Errorf("%s: %d %s", step, code, out)
			}
		}
	})
}

// again stops dockerd and starts it with more in its environment.
func (d *docker) again(t *testing.T, env ...string) {
	t.Helper()
	stop(d.cmd)
	d.more = env
	d.up(t)
}

// built builds an image and returns what its /made says.
func (d *docker) built(t *testing.T, name, text string) string {
	t.Helper()
	if out, code := d.build(t, name, text); code != 0 {
		t.Fatalf("docker build: %d: %s", code, out)
	}
	out, code := d.run(t, name, "cat", "/made")
	if code != 0 {
		t.Fatal(out)
	}
	return out
}

// build builds an image with the BuildKit in dockerd, called by buildx.
func (d *docker) build(t *testing.T, name, text string, more ...string) (string, int) {
	t.Helper()
	dir := buildContext(t, text)
	t.Cleanup(func() { d.try(t, "rmi", "-f", name) })
	args := append([]string{"build", "--no-cache", "--progress", "plain", "--load", "--secret", "id=token,src=" + dir + "/secret", "-t", name}, more...)
	return patiently(t, []string{"DOCKER_HOST=unix://" + d.dir + "/docker.sock", "HOME=" + dir}, cached(t, "buildx-v*/buildx"), append(args, dir)...)
}

func buildContext(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("a secret\n"), 0o644))
	return dir
}

// patiently runs a program that may wait for ever.
func patiently(t *testing.T, env []string, name string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute*time.Duration(patience()))
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.WaitDelay = append(os.Environ(), env...), time.Second
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// buildkitd by itself calls the program that its configuration names.
func TestBuildKit(t *testing.T) {
	require(t, "buildkit")
	dir := filepath.Join(tested.dir, "buildkit")
	policy := policyFile(t, dir, fmt.Sprintf(`profiles:
  build:
    extends: builtin/restricted
    mounts: {allow: [inherited, {path: %s/otel-grpc.sock, access: ro}]}
rules:
  - {match: {engine: buildkit}, profile: build}
`, dir))
	ns, err := netnsOf("-build")
	must(t, err)
	must(t, os.WriteFile(dir+"/cni.conflist", []byte(`{"cniVersion": "0.4.0", "name": "build", "plugins": [{"type": "bridge", "bridge": "build0", "isGateway": true,
 "ipam": {"type": "host-local", "dataDir": "`+dir+`/addresses", "ranges": [[{"subnet": "10.97.0.0/24"}]]}}]}`), 0o644))
	must(t, os.WriteFile(dir+"/buildkitd.toml", fmt.Appendf(nil, "[worker.containerd]\nenabled = false\n[worker.oci]\nbinary = %q\nnetworkMode = \"cni\"\ncniConfigPath = %q\ncniBinaryPath = \"/usr/lib/cni\"\n", tested.hatchdog, dir+"/cni.conflist"), 0o644))
	daemon := daemonIn(t, ns, dir+"/buildkitd.log", []string{"HATCHDOG_POLICY=" + policy}, cached(t, "buildkit-v*/buildkitd"), "--root", dir+"/root", "--addr", "unix://"+dir+"/sock",
		"--config", dir+"/buildkitd.toml", "--otel-socket-path", dir+"/otel-grpc.sock")
	t.Cleanup(func() {
		stop(daemon)
		unmountBelow(dir)
		removeGroups("/sys/fs/cgroup/*/buildkit*")
		if t.Failed() {
			log, _ := run(t, "head", "-n", "20", dir+"/buildkitd.log")
			t.Log(log)
		}
	})
	ctl := func(args ...string) (string, int) {
		return patiently(t, nil, cached(t, "buildkit-v*/buildctl"), append([]string{"--addr", "unix://" + dir + "/sock"}, args...)...)
	}
	waitFor(t, "buildkitd", func() bool { _, code := ctl("debug", "workers"); return code == 0 })
	build := func(text string) string {
		t.Helper()
		source := buildContext(t, strings.NewReplacer("FROM busybox AS other", "FROM scratch AS other\nADD image.tar /", "FROM busybox", "FROM scratch\nADD image.tar /").Replace(text))
		must(t, os.WriteFile(source+"/image.tar", busyboxTar(t), 0o644))
		out, code := ctl("build", "--frontend", "dockerfile.v0", "--local", "context="+source, "--local", "dockerfile="+source, "--progress", "plain",
			"--secret", "id=token,src="+source+"/secret", "--output", "type=local,dest="+source+"/out")
		if code != 0 {
			t.Fatalf("buildctl build: %d: %s", code, out)
		}
		return read(t, source+"/out/made")
	}
	said := build(seen)
	wantLines(t, said, "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1", "Seccomp:\t2")
	if strings.Contains(said, fmt.Sprint(uint32(1<<32-1))) {
		t.Errorf("a step has no user namespace: %s", said)
	}
	wantLines(t, build(kept), "cached", "other", "a secret", "inet ")
}
