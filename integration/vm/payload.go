package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// payload is the folder of what is tested and what tests it.
type payload struct{ dir string }

// buildImage makes the image of a release of Debian, or finds it.
func buildImage(cache, debian string) (string, error) {
	cmd := exec.Command("integration/vm/image/build.sh", cache, debian)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build the guest's image: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// collect builds the programs and tests, and copies the pinned runtimes.
func collect(cache, dir string) (payload, error) {
	fmt.Println("vm: building the tests")
	for _, b := range [][]string{
		{"build", "-trimpath", "-o", dir + "/bin/asks64", "./integration/asks"},
		{"GOARCH=386", "build", "-trimpath", "-o", dir + "/bin/asks32", "./integration/asks"},
		{"test", "-c", "-trimpath", "-ldflags=-s -w", "-o", dir + "/integration/integration.test", "./integration"},
		{"build", "-trimpath", "-o", dir + "/bin/", "./cmd/hatchdog", "./cmd/hatchctl", "./integration/curious", "./integration/reach", "./integration/prevented"},
		{"build", "-trimpath", "-tags", "no_grpc", "-ldflags=-s -w", "-o", dir + "/bin/", "./cmd/containerd-shim-hatchdog-v1"},
		{"-C", "integration/cri", "build", "-trimpath", "-o", dir + "/bin/cri", "."},
		{"build", "-trimpath", "-tags", "hatchdog_fault", "-o", dir + "/faulty/", "./cmd/hatchdog"},
	} {
		env := append(os.Environ(), "CGO_ENABLED=0")
		if strings.HasPrefix(b[0], "GOARCH=") {
			env, b = append(env, b[0]), b[1:]
		}
		cmd := exec.Command("go", b...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return payload{}, fmt.Errorf("go %v: %w\n%s", b, err, out)
		}
	}
	copies := map[string]string{
		"integration/vm/guest": "vm",
		"deploy":               "deploy",
		"integration/testdata": "integration/testdata",
	}
	for program, version := range map[string]string{
		"runc": "RUNC_VERSION", "containerd": "CONTAINERD_VERSION", "dockerd": "DOCKERD_VERSION", "docker-cli": "DOCKER_CLI_VERSION",
		"old-runc-2023": "RUNC_2023",
	} {
		name := program + "-" + os.Getenv(version)
		copies[filepath.Join(cache, name)] = "cache/" + name
	}
	for from, to := range copies {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil {
			return payload{}, fmt.Errorf("copy to the payload: %w", err)
		}
	}
	return payload{dir}, nil
}

// disk writes the payload for one tier as a file system.
func (p payload) disk(path string, t tierOf) (string, error) {
	for name, text := range map[string]string{"tier": t.name, "run": t.run, "require": t.require, "timeout": t.limit.String(), "dockers": t.dockers, "args": t.args} {
		if err := os.WriteFile(filepath.Join(p.dir, "vm", name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", p.dir, path, "700M").CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("write the payload: %w", err), errors.New(string(out)))
	}
	return path, nil
}
