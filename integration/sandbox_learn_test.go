package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// learnLoop runs a command with what was learned, again and again, until nothing
// is missing, as the page says.
const learnLoop = `#!/usr/bin/env python3
import json, os, subprocess, sys
flags, command = [], sys.argv[1:]
for i in range(6):
    report = "%s/report%d" % (os.environ["VICTIM"], i)
    code = subprocess.run([os.environ["HATCHCTL"], "run", os.environ["BOXES"], "--learn", "--report", "json", "--report-file", report] + flags + ["--"] + command).returncode
    learned = json.load(open(report))["learned"]
    print("LEARNED", json.dumps(learned))
    if code == 0 and not learned["flags"]:
        break
    for f in learned["flags"]:
        flags += f.split(" ", 1)
print("END", code, json.dumps(flags))
`

// The flags that are learned are enough for the work of a tool, and none of them
// opens a key, a start file or the cloud's credentials to the thief among it.
func TestLearnedFlagsAreEnough(t *testing.T) {
	for _, c := range []struct {
		name, command, works string
		want                 []string
	}{
		{"make", `make`, "it works", []string{"--rw", "--exec"}},
		{"npm", `sh -c 'npm install --foreground-scripts --no-audit --no-fund --fetch-retries 0 --registry ` + registry + `/npm/ --cache /tmp/npm && node -p "require(\"evil\")"'`, "it works", []string{"--rw", "192.0.2.1:8080/tcp"}},
		{"pip", `sh -c '/usr/bin/python3 -m pip install --target lib --no-build-isolation --index-url ` + registry + `/simple --trusted-host 192.0.2.1 evil && PYTHONPATH=lib /usr/bin/python3 -m evil'`, "it works", []string{"--rw", "192.0.2.1:8080/tcp"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTheft(t)
			b.file(t, "loop.py", learnLoop)
			out, stolen := b.with(t, `python3 loop.py `+c.command)
			if !strings.Contains(out, c.works) || !strings.Contains(out, "END 0 ") {
				t.Fatalf("%s\n%s", out, stolen)
			}
			for _, no := range []string{"the-key", "the-secret", "the-token", "cloud-credentials"} {
				if strings.Contains(stolen, no) {
					t.Errorf("stolen: %s", stolen)
				}
			}
			for _, w := range c.want {
				if !strings.Contains(out[strings.Index(out, "END 0 "):], w) {
					t.Errorf("no %s in %s", w, out[strings.Index(out, "END 0 "):])
				}
			}
			for _, flag := range strings.Fields(out[strings.Index(out, "END 0 "):]) {
				for _, no := range []string{".ssh", ".bashrc", ".vscode", ".git", ".env", "169.254"} {
					if strings.Contains(flag, no) {
						t.Errorf("%s is learned", flag)
					}
				}
			}
		})
	}
}

// What a thief tries is shown, with a warning.
func TestLearnWarns(t *testing.T) {
	b := newTheft(t)
	b.file(t, "p.sh", "#!/bin/sh\necho evil >.vscode/tasks.json; cat "+b.victim()+"/.ssh/id_ed25519\npython3 -c 'import socket; socket.create_connection((\"169.254.169.254\", 80), 1)'\nmount -t tmpfs t /tmp\nexit 3\n")
	must(t, os.MkdirAll(filepath.Join(b.dir, ".vscode"), 0o755))
	out, _ := b.with(t, `"$HATCHCTL" run "$BOXES" --learn --rw . --report json --report-file "$VICTIM/report" -- sh p.sh; echo "CODE $?"; "$HATCHCTL" run "$BOXES" --learn -- sh -c 'echo x >made'`)
	var rep struct {
		Learned struct {
			Flags, Maybe, Never []string
			Twice               []struct{ Flag, What, Reason string }
		} `json:"learned"`
	}
	must(t, json.Unmarshal([]byte(read(t, b.victim()+"/report")), &rep))
	var twice []string
	for _, w := range rep.Learned.Twice {
		twice = append(twice, w.What)
	}
	for _, want := range []string{"looks for " + b.victim() + "/.ssh/id_ed25519", "packets to 169.254.169.254:80 (tcp)"} {
		if !slices.Contains(twice, want) {
			t.Errorf("no %q in %q", want, twice)
		}
	}
	if !strings.Contains(strings.Join(twice, "\n"), ".vscode") || !slices.Contains(rep.Learned.Never, "the system call mount") || len(rep.Learned.Flags) != 0 {
		t.Errorf("%+v", rep.Learned)
	}
	if !strings.Contains(out, "CODE 3\n") || !strings.Contains(out, "--rw . -- sh -c 'echo x >made'") {
		t.Error(out)
	}
}
