package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Failing or dying at any step: nothing is started, the bundle is as its owner
// wrote it, and the next create goes through with the whole evidence.
func TestEveryStep(t *testing.T) {
	for _, step := range []string{"judged", "acquired", "audited", "kept", "written"} {
		for _, how := range []string{"error", "kill"} {
			t.Run(step+" "+how, func(t *testing.T) {
				d := newDirect(t)
				original := read(t, d.bundle+"/config.json")
				d.bin = tested.faulty
				out, code := d.create(t, "HATCHDOG_FAULT="+step+"="+how)
				d.bin = tested.hatchdog
				if how == "error" {
					d.wantRefused(t, out, code, "injected fault")
				} else if code == 0 || d.starts(t) != 0 {
					t.Fatalf("exit code %d, %d starts\n%s", code, d.starts(t), out)
				}
				if read(t, d.bundle+"/config.json") != original {
					t.Error("config.json was changed")
				}
				if out, code := d.create(t); code != 0 {
					t.Fatalf("afterwards: %d %s", code, out)
				}
				kept, err := filepath.Glob(d.dir + "/state/*/c1/original.json")
				must(t, err)
				if len(kept) != 1 {
					t.Fatal(kept)
				}
				if read(t, kept[0]) != original {
					t.Error("the original is not what the engine wrote")
				}
				if out, code := run(t, tested.hatchctl, "audit", "verify", d.dir+"/log/audit.jsonl"); code != 0 {
					t.Error(out)
				}
			})
		}
	}
}

func TestTwoCreatesOfOneID(t *testing.T) {
	d := newDirect(t)
	first := d.command([]string{"SLOW=2"}, "create", "--bundle", d.bundle, "c1")
	must(t, first.Start())
	deadline := time.Now().Add(10 * time.Second)
	for d.starts(t) == 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	other := d.bundle
	d.bundle = makeBundle(t, "true")
	out, code := d.create(t)
	d.bundle = other
	if code == 0 || d.starts(t) != 1 || !strings.Contains(out, "another create of the same id is under way") {
		t.Errorf("under way: %d, %d starts\n%s", code, d.starts(t), out)
	}
	must(t, first.Wait())
	must(t, os.Remove(d.dir+"/log.json"))
	out, code = d.create(t)
	if code == 0 || d.starts(t) != 1 || !strings.Contains(out, "already exists") {
		t.Errorf("there: %d, %d starts\n%s", code, d.starts(t), out)
	}
	if left, _ := filepath.Glob(d.dir + "/state/*/c1/record.json"); len(left) != 1 {
		t.Error("the refused creates took the record of the one that runs")
	}
}

// What hatchdog does not hold goes through with the same arguments.
func TestPassThrough(t *testing.T) {
	for _, args := range [][]string{
		{"state", "c1"},
		{"start", "c1"},
		{"kill", "--all", "c1", "9"},
		{"ps", "--format", "json", "c1"},
		{"events", "--stats", "c1"},
		{"list"},
		{"spec", "--bundle", "create"},
		{"pause", "c1"},
		{"unheard", "of", "--this", "create"},
		{"checkpoint", "--image-path", "create", "c1"},
	} {
		d := newDirect(t)
		if out, code := d.call(t, nil, args...); code != 0 {
			t.Errorf("%v: %d %s", args, code, out)
		}
		if got := read(t, d.dir+"/started"); !strings.HasSuffix(got, strings.Join(args, " ")+"\n") {
			t.Errorf("%v became %s", args, got)
		}
	}
	d := newDirect(t)
	cmd := d.command(nil)
	cmd.Args = []string{d.bin, "--version"}
	cmd.Stderr = os.Stderr
	if out, err := cmd.Output(); err != nil || !bytes.Contains(out, []byte("runc version 1.5.2")) {
		t.Errorf("%v %s", err, out)
	}
}

func TestUnrecordedContainers(t *testing.T) {
	d := newDirect(t)
	out, code := d.call(t, nil, "exec", "c9", "sh")
	if d.wantRefused(t, out, code, "container does not exist"); code != 255 { // as runc answers
		t.Errorf("exit code %d", code)
	}
	must(t, os.MkdirAll(d.dir+"/root/c9", 0o700))
	out, code = d.call(t, nil, "exec", "c9", "sh")
	d.wantRefused(t, out, code, "hatchdog did not create it")
	out, code = d.call(t, nil, "update", "--memory", "1", "c9")
	d.wantRefused(t, out, code, "hatchdog did not create it")
	if out, code := d.call(t, nil, "delete", "c9"); code != 0 || d.starts(t) != 1 {
		t.Errorf("delete goes through: %d %s", code, out)
	}
}
