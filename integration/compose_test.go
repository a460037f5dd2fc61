package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shop is an application of three tiers, each of which waits until the one below
// it is healthy. VERSION is what an update changes.
const shop = `name: shop
x-tier: &tier {image: busybox, runtime: hatchdog, stop_grace_period: 1s, environment: [VERSION]}
services:
  db:
    <<: *tier
    command: [sh, -c, "echo started $$VERSION >>/data/rows; exec httpd -f -p 5000 -h /data"]
    volumes: ["data:/data"]
    healthcheck: {test: [CMD, wget, -q, -O-, "http://127.0.0.1:5000/rows"], interval: 1s, retries: 60}
    restart: unless-stopped
  app:
    <<: *tier
    depends_on: {db: {condition: service_healthy}}
    command: [sh, -c, "mkdir /tmp/w; cat /run/secrets/token /settings >/tmp/w/own; wget -q -O /tmp/w/rows http://db:5000/rows; exec httpd -f -p 8000 -h /tmp/w"]
    secrets: [token]
    configs: [{source: settings, target: /settings}]
    healthcheck: {test: [CMD, wget, -q, -O-, "http://127.0.0.1:8000/rows"], interval: 1s, retries: 60}
  proxy:
    <<: *tier
    depends_on: {app: {condition: service_healthy}}
    command: [sh, -c, "wget -q -O- http://app:8000/own; wget -q -O- http://app:8000/rows; exec sleep 3600"]
  again:
    <<: *tier
    command: [sh, -c, "[ -e /data/tried ] && exec sleep 3600; touch /data/tried; exit 1"]
    volumes: ["tries:/data"]
    restart: on-failure
  tools: {<<: *tier, profiles: [tools], command: [sleep, "3600"]}
secrets: {token: {file: ./token}}
configs: {settings: {file: ./settings}}
volumes: {data: {}, tries: {}}
`

// composed is a project of Compose, under the current Docker.
type composed struct {
	d    *docker
	dir  string
	tool string
}

func (c composed) try(t *testing.T, version string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(c.tool, append([]string{"--ansi", "never", "--project-directory", c.dir, "-f", c.dir + "/compose.yaml"}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+c.d.dir+"/docker.sock", "VERSION="+version, "HOME="+c.dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c composed) do(t *testing.T, version string, args ...string) string {
	t.Helper()
	out, err := c.try(t, version, args...)
	if err != nil {
		logs, _ := c.try(t, version, "logs")
		t.Fatalf("compose %v: %v\n%s\n%s", args, err, out, logs)
	}
	return out
}

func TestCompose(t *testing.T) {
	c := composed{dockers[len(dockers)-1].start(t), filepath.Join(tested.dir, "shop"), cached(t, "compose-v*/docker-compose")}
	must(t, os.MkdirAll(c.dir, 0o755))
	for name, text := range map[string]string{"compose.yaml": shop, "token": "a token\n", "settings": "colour: red\n"} {
		must(t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644))
	}
	t.Cleanup(func() { _, _ = c.try(t, "", "down", "-v", "-t", "1", "--remove-orphans") })
	c.do(t, "one", "up", "-d", "--wait", "--wait-timeout", "120")
	waitFor(t, "what the proxy has from below it", func() bool {
		log := c.do(t, "one", "logs", "proxy")
		return strings.Contains(log, "a token") && strings.Contains(log, "colour: red") && strings.Contains(log, "started one")
	})
	confined := func(service string) {
		t.Helper()
		wantLines(t, c.do(t, "one", "exec", "-T", service, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
		if ids := c.do(t, "one", "exec", "-T", service, "cat", "/proc/self/uid_map"); strings.Contains(ids, "4294967295") {
			t.Errorf("%s has no user namespace: %s", service, ids)
		}
	}
	for _, service := range []string{"db", "app", "proxy", "again"} {
		confined(service)
	}
	if running := c.do(t, "one", "ps", "--format", "{{.Name}}"); strings.Contains(running, "tools") {
		t.Errorf("a profile that nobody asked for runs: %s", running)
	}
	explained, _ := c.d.hatchctl(t, "explain", "shop-db-1")
	wantLines(t, explained, "shop-db-1")
	t.Run("scale and restart", func(t *testing.T) {
		c.do(t, "one", "up", "-d", "--scale", "app=3", "--no-recreate")
		c.do(t, "one", "restart", "-t", "1", "app")
		if n := strings.Count(c.do(t, "one", "ps", "-q", "app"), "\n"); n != 3 {
			t.Errorf("%d of 3", n)
		}
		c.do(t, "one", "up", "-d", "--scale", "app=1", "--no-recreate")
	})
	t.Run("an update keeps the data", func(t *testing.T) {
		c.do(t, "two", "up", "-d", "--wait", "--wait-timeout", "120")
		if rows := c.do(t, "two", "exec", "-T", "db", "cat", "/data/rows"); rows != "started one\nstarted two\n" {
			t.Errorf("the rows: %q", rows)
		}
		confined("db")
	})
	t.Run("run, profile, down", func(t *testing.T) {
		c.do(t, "two", "--profile", "tools", "up", "-d", "tools")
		wantLines(t, c.do(t, "two", "run", "--rm", "-T", "--no-deps", "app", "cat", "/run/secrets/token"), "a token")
		c.do(t, "two", "--profile", "tools", "down", "-v", "-t", "1")
		if left := c.d.do(t, "ps", "-aq", "--filter", "label=com.docker.compose.project=shop"); left != "" {
			t.Errorf("left: %s", left)
		}
	})
}
