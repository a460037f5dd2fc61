package capture

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A layer is listed as it is: nothing that it points to is.
func TestLayerLeadsNowhere(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(outside+"/secret", []byte("of the host"), 0o600))
	must(t, os.Symlink(outside, dir+"/out"))
	must(t, os.Symlink(outside+"/secret", dir+"/file"))
	must(t, os.Mkdir(dir+"/d", 0o700))
	must(t, os.WriteFile(dir+"/d/a\n\x1b[31m", []byte("x"), 0o600))
	must(t, syscall.Mkfifo(dir+"/pipe", 0o600)) // nobody writes: whoever opens it waits
	l, err := ReadLayer(dir)
	must(t, err)
	kinds := map[string]string{}
	for _, e := range l.Entries {
		kinds[e.Path] = e.Kind
		if strings.Contains(e.Path, "secret") || (e.Kind == "link") != (e.SHA256 == "" && e.Link != "") {
			t.Errorf("%+v", e)
		}
	}
	if len(kinds) != 5 || kinds["/out"] != "link" || kinds["/pipe"] != "pipe" || kinds["/d"] != "directory" {
		t.Errorf("%v", kinds)
	}
	if _, err := ReadLayer(dir + "/nothing"); err == nil {
		t.Error("a layer that is not there is read")
	}
}

func TestUpperOfWhatIsNoOverlay(t *testing.T) {
	if _, err := Upper(t.TempDir()); !errors.Is(err, ErrNoLayer) {
		t.Error(err)
	}
}

// A process that left the control group is found by its pid namespace, and of its
// environment the names are told alone.
func TestProcessOutsideOfItsControlGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a pid namespace")
	}
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"TOKEN=hunter-two-sesame"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	members, strays := Pids(map[string]string{"": t.TempDir()}, cmd.Process.Pid)
	if len(members) != 0 || !slices.Equal(strays, []int{cmd.Process.Pid}) {
		t.Fatalf("%v %v", members, strays)
	}
	var found []Process
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if found = Processes(members, strays); len(found) == 1 && found[0].Name == "sleep" {
			break
		}
	}
	p := found[0]
	if !p.Outside || p.Inner != "1" || !slices.Equal(p.Environment, []string{"TOKEN"}) || !slices.Equal(p.Arguments, []string{"sleep", "60"}) {
		t.Errorf("%+v", p)
	}
	text, err := json.Marshal(p)
	if must(t, err); strings.Contains(string(text), "hunter") {
		t.Errorf("%s", text)
	}
	if _, strays := Pids(nil, os.Getpid()); len(strays) != 0 {
		t.Errorf("of the host's own pid namespace: %v", strays)
	}
}

func TestArchive(t *testing.T) {
	var out bytes.Buffer
	a := NewArchive(&out, time.Unix(0, 0))
	must(t, a.AddJSON("one.json", "\x1b\u202e"))
	must(t, a.Add("large", make([]byte, maxMember+5)))
	sum, err := a.Close(Manifest{Container: "c1"})
	must(t, err)
	var m Manifest
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		if h.Name == "one.json" && string(data) != `"\u001b\u202e"`+"\n" {
			t.Errorf("%q", data)
		}
		if h.Name == "manifest.json" {
			must(t, json.Unmarshal(data, &m))
		}
	}
	if len(sum) != 64 || len(m.Members) != 2 || m.Members[1].Cut != 5 || m.Members[1].Size != maxMember {
		t.Errorf("%s %+v", sum, m)
	}
}
