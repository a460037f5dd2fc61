package integration

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// agent is a client of hatchctl mcp.
type agent struct {
	*mcp.ClientSession
	cmd  *exec.Cmd
	errs *os.File
}

func (b *boxed) mcp(t *testing.T, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(tested.hatchctl, append([]string{"mcp", boxDir()}, flags...)...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"), "HATCHDOG_POLICY=")
	return cmd
}

func (b *boxed) agent(t *testing.T, flags ...string) *agent {
	t.Helper()
	a := &agent{cmd: b.mcp(t, flags...)}
	var err error
	a.errs, err = os.CreateTemp(t.TempDir(), "errs")
	must(t, err)
	a.cmd.Stderr = a.errs
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	a.ClientSession, err = client.Connect(t.Context(), &mcp.CommandTransport{Command: a.cmd}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, read(t, a.errs.Name()))
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// ran is what the tool run answers.
type ran struct {
	Name, Ended, Stdout, Stderr string
	Code, Denied                int
	Cut                         int64
	Changes                     *struct{ Paths, Marked int }
}

// call calls a tool; failed is what it says where it fails.
func (a *agent) call(t *testing.T, ctx context.Context, tool string, args map[string]any, into any) (failed string) {
	t.Helper()
	res, err := a.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return "protocol: " + err.Error()
	}
	if res.IsError {
		return res.Content[0].(*mcp.TextContent).Text
	}
	data, err := json.Marshal(res.StructuredContent)
	must(t, err)
	if into != nil {
		must(t, json.Unmarshal(data, into))
	}
	return ""
}

func (a *agent) sh(t *testing.T, script string, narrow map[string]any) (r ran, failed string) {
	t.Helper()
	args := map[string]any{"command": []string{"sh", "-c", script}}
	for k, v := range narrow {
		args[k] = v
	}
	failed = a.call(t, t.Context(), "run", args, &r)
	return r, failed
}

// The tools do their work for a client of the official SDK.
func TestAgentRunsCommandsInBoxes(t *testing.T) {
	b := newBoxed(t)
	a := b.agent(t, "--rw", ".", "--overlay", "--allow", "192.0.2.9:9/udp")
	tools, err := a.ListTools(t.Context(), nil)
	must(t, err)
	var names []string
	for _, tool := range tools.Tools {
		names = append(names, tool.Name)
	}
	if got := strings.Join(names, " "); got != "apply diff explain run why" {
		t.Errorf("tools: %s", got)
	}
	r, failed := a.sh(t, `read x; echo "got $x"; cat .env; echo y >made; printf '\033]0;evil\007\233' >&2; python3 -c 'import socket; socket.create_connection(("169.254.169.254", 80), 1)' 2>/dev/null; exit 4`, map[string]any{"stdin": "a line\n"})
	if failed != "" || r.Code != 4 || r.Stdout != "got a line\n" || r.Denied != 1 || r.Changes == nil || r.Changes.Paths != 1 || strings.ContainsAny(r.Stderr, "\x1b\x07\u009b") || !strings.Contains(r.Stderr, `\u001b]0;evil`) {
		t.Fatalf("%s %+v", failed, r)
	}
	if _, err := os.Stat(b.dir + "/made"); err == nil {
		t.Error("it wrote into the directory")
	}
	var why struct {
		Denied []struct{ Kind, What, Flag string }
	}
	if failed := a.call(t, t.Context(), "why", map[string]any{"name": r.Name}, &why); failed != "" || len(why.Denied) != 1 || why.Denied[0].Kind != "metadata" || why.Denied[0].Flag != "" {
		t.Errorf("%s %+v", failed, why)
	}
	var diff struct {
		Directories []struct {
			Directory, Text string
			Changes         []struct{ Path, What string }
		}
	}
	if failed := a.call(t, t.Context(), "diff", map[string]any{"name": r.Name}, &diff); failed != "" || len(diff.Directories) != 1 || diff.Directories[0].Directory != b.dir ||
		len(diff.Directories[0].Changes) != 1 || diff.Directories[0].Changes[0].Path != "made" || !strings.Contains(diff.Directories[0].Text, "+y") {
		t.Errorf("%s %+v", failed, diff)
	}
	if failed := a.call(t, t.Context(), "apply", map[string]any{"name": r.Name}, nil); !strings.Contains(failed, "--allow-apply") {
		t.Errorf("apply: %q", failed)
	}
	var gets struct {
		Directory string
		Grants    []struct {
			Path  string
			Write bool
		}
		Hidden, Kept, Allow []string
		AllowApply, Overlay bool
	}
	if failed := a.call(t, t.Context(), "explain", nil, &gets); failed != "" || gets.Directory != b.dir || len(gets.Grants) != 1 || !gets.Overlay || gets.AllowApply || len(gets.Allow) != 1 ||
		!strings.Contains(strings.Join(gets.Hidden, " "), b.dir+"/.env") || !strings.Contains(strings.Join(gets.Kept, " "), ".vscode") {
		t.Errorf("%s %+v", failed, gets)
	}
	must(t, a.Close())
	if said := read(t, a.errs.Name()); !strings.Contains(said, "hatchctl run "+boxDir()+" diff "+r.Name) {
		t.Errorf("at the end: %q", said)
	}
	if out, err := exec.Command(tested.hatchctl, "run", boxDir(), "discard", r.Name).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func digestOf(t *testing.T, path string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(read(t, path)))
	return hex.EncodeToString(sum[:])
}

// What a run changed comes into the directory where the user allows it, except for
// what is marked.
func TestAgentAppliesWhereItMay(t *testing.T) {
	b := newBoxed(t)
	a := b.agent(t, "--rw", ".", "--allow-apply")
	r, failed := a.sh(t, "echo y >made", map[string]any{"overlay": true})
	if failed != "" || r.Changes == nil {
		t.Fatalf("%s %+v", failed, r)
	}
	if failed := a.call(t, t.Context(), "apply", map[string]any{"name": r.Name}, nil); failed != "" || read(t, b.dir+"/made") != "y\n" {
		t.Errorf("%q", failed)
	}
	if failed := a.call(t, t.Context(), "apply", map[string]any{"name": r.Name}, nil); failed == "" {
		t.Error("it is applied twice")
	}
	r, failed = a.sh(t, "ln -s /etc/shadow out; echo z >made2", map[string]any{"overlay": true})
	if failed != "" || r.Changes == nil || r.Changes.Marked != 1 {
		t.Fatalf("%s %+v", failed, r)
	}
	if failed := a.call(t, t.Context(), "apply", map[string]any{"name": r.Name}, nil); failed == "" {
		t.Error("a marked change is applied")
	}
	if _, err := os.Lstat(b.dir + "/made2"); err == nil {
		t.Error("a part was written")
	}
	if failed := a.call(t, t.Context(), "apply", map[string]any{"name": r.Name, "discard": true}, nil); failed != "" {
		t.Error(failed)
	}
	for _, name := range []string{"", "..", "../..", r.Name, "mcp-000000000000", "/var/lib"} {
		for _, tool := range []string{"why", "diff", "apply"} {
			if failed := a.call(t, t.Context(), tool, map[string]any{"name": name}, nil); failed == "" && (tool != "why" || name != r.Name) {
				t.Errorf("%s %q answers", tool, name)
			}
		}
	}
}

// A command that puts a link in the place of a granted directory opens nothing to the
// next one, wherever the directory lies.
func TestAgentIsLedNowhereByALink(t *testing.T) {
	b := newBoxed(t)
	other, outside := t.TempDir(), t.TempDir()
	for _, d := range []string{other, outside} {
		must(t, os.Chmod(d, 0o777)) //nolint:gosec // the user of the box writes there
	}
	must(t, os.MkdirAll(other+"/sub/data", 0o755))
	must(t, os.WriteFile(outside+"/f", []byte("of the host"), 0o644)) //nolint:gosec // read, if it is shown
	for _, flag := range []string{"--ro", "--rw"} {
		must(t, os.RemoveAll(other+"/old"))
		must(t, os.RemoveAll(other+"/sub"))
		must(t, os.MkdirAll(other+"/sub/data", 0o755))
		a := b.agent(t, "--rw", other, flag, other+"/sub/data")
		if r, failed := a.sh(t, "cd "+other+" && mv sub old && mkdir sub && ln -s "+outside+" sub/data", nil); failed != "" || r.Code != 0 {
			t.Fatalf("%s %+v", failed, r)
		}
		r, failed := a.sh(t, "cat "+outside+"/f; echo x >"+outside+"/made", nil)
		if !strings.Contains(failed, "symbolic link") || strings.Contains(r.Stdout, "of the host") {
			t.Errorf("%s: %q %+v", flag, failed, r)
		}
		if _, err := os.Lstat(outside + "/made"); err == nil {
			t.Errorf("%s: it wrote where nothing was granted", flag)
		}
	}
}

// No request gets more than the user's flags give.
func TestAgentOnlyNarrows(t *testing.T) {
	b := newBoxed(t)
	for _, d := range []string{"src", "docs"} {
		must(t, os.Mkdir(filepath.Join(b.dir, d), 0o755))
	}
	must(t, os.Symlink("/etc", b.dir+"/src/etc"))
	must(t, os.Symlink(b.dir+"/docs", b.dir+"/src/docs"))
	a := b.agent(t, "--rw", "src", "--ro", ".", "--memory", "64MiB", "--time", "4s", "--pids", "30", "--output", "200KiB", "--allow", "192.0.2.7:443/tcp")
	refused := []map[string]any{
		{"rw": []string{"docs"}},
		{"rw": []string{"."}},
		{"rw": []string{"/"}},
		{"rw": []string{"/etc"}},
		{"rw": []string{"src/../docs"}},
		{"rw": []string{"src/etc"}},
		{"rw": []string{"src/docs"}},
		{"rw": []string{"src/etc/cron.d"}},
		{"rw": []string{""}},
		{"rw": []string{"src\x00"}},
		{"rw": []string{"--rw=/etc"}},
		{"allow": []string{"0.0.0.0/0"}},
		{"allow": []string{"192.0.2.7"}},
		{"allow": []string{"registries"}},
		{"allow": []string{"192.0.2.7:443/tcp", "evil.example.com"}},
		{"directory": "/root"},
		{"directory": ".."},
		{"directory": "/etc"},
		{"directory": "--rw=/"},
		{"memory": "x"},
		{"time": "-1s"},
		{"time": "10m --rw=/"},
		{"pids": -1},
		{"pids": 1},
		{"cpu": -1},
		{"hide": []string{"["}},
		{"hide": []string{strings.Repeat("x", 100000)}},
		{"exec": true},
		{"overlay": "no"},
		{"secret": "HOME"},
		{"command": []string{}},
		{"command": []string{""}},
		{"command": []string{"a\x00b"}},
		{"command": "sh"},
	}
	for _, args := range refused {
		if r, failed := a.sh(t, "echo it ran", args); failed == "" {
			t.Errorf("%v: %+v", args, r)
		} else if strings.ContainsAny(failed, "\x00\x1b") {
			t.Errorf("%v: control characters in %q", args, failed)
		}
	}
	for _, c := range []struct {
		script string
		args   map[string]any
		code   int
		stdout string
	}{
		{"touch src/x docs/x 2>/dev/null; ls src docs", nil, 0, "docs:\n\nsrc:\ndocs\netc\nx\n"},
		{"touch src/y 2>/dev/null || echo closed; touch /etc/x 2>/dev/null || echo closed", map[string]any{"rw": []string{}}, 0, "closed\nclosed\n"},
		{"pwd; cat ../.env", map[string]any{"directory": "src"}, 0, b.dir + "/src\n"},
		{"python3 -c 'x = bytearray(200 << 20)'", map[string]any{"memory": "64GiB"}, 122, ""},
		{"sleep 60", map[string]any{"time": "1h"}, 124, ""},
		{"sleep 60", map[string]any{"time": "1s"}, 124, ""},
		{"for i in 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0; do sleep 2 & done 2>/dev/null; exit 0", map[string]any{"pids": 100000}, 2, ""},
	} {
		if r, failed := a.sh(t, c.script, c.args); failed != "" || r.Code != c.code || c.stdout != "" && r.Stdout != c.stdout {
			t.Errorf("%s %v: %s %+v", c.script, c.args, failed, r)
		}
	}
	var r ran
	for _, command := range [][]string{{"--rw=/etc", "sh"}, {"--", "sh"}, {"-c", "id"}} {
		if failed := a.call(t, t.Context(), "run", map[string]any{"command": command}, &r); failed != "" || r.Code != 127 {
			t.Errorf("%v: %s %+v", command, failed, r)
		}
	}
}

// A request opens nothing that the grant of its directory leaves closed.
func TestAgentNamesNothingOpen(t *testing.T) {
	b := newBoxed(t)
	must(t, os.Mkdir(b.dir+"/.vscode", 0o755))
	must(t, os.WriteFile(b.dir+"/narrow.yaml", []byte("version: 1\nrw: [.vscode, api]\n"), 0o644))
	for _, flags := range [][]string{{"--rw", "."}, {"--rw", ".", "--policy-from", "narrow.yaml", "--policy-accept", digestOf(t, b.dir+"/narrow.yaml")}} {
		a := b.agent(t, flags...)
		for _, rw := range []string{".vscode", ".env", ".git/hooks", "api/.env", ".git/config"} {
			r, failed := a.sh(t, "echo evil >.vscode/tasks.json; cat .env api/.env; echo evil >>.git/config; echo evil >.git/hooks/pre-commit; echo end", map[string]any{"rw": []string{rw}})
			if strings.Contains(r.Stdout, "the-secret") || failed == "" && r.Stdout != "end\n" {
				t.Errorf("%v %s: %s %+v", flags, rw, failed, r)
			}
		}
		must(t, a.Close())
	}
	if _, err := os.Stat(b.dir + "/.vscode/tasks.json"); err == nil || strings.Contains(read(t, b.dir+"/.git/config")+read(t, b.dir+"/.git/hooks/pre-commit"), "evil") {
		t.Error("it was written")
	}
}

// Much output, and much at once, is bounded.
func TestAgentBoundsWhatItTells(t *testing.T) {
	b := newBoxed(t)
	a := b.agent(t, "--output", "20MiB", "--runs", "2")
	r, failed := a.sh(t, "echo first; head -c 10000000 /dev/zero; echo; echo last", nil)
	if failed != "" || r.Code != 0 || r.Cut < 9<<20 || !strings.HasPrefix(r.Stdout, "first\n") || !strings.HasSuffix(r.Stdout, "last\n") || len(r.Stdout) > 500000 || strings.Contains(r.Stdout, "\x00") {
		t.Errorf("%s %d bytes, %d cut", failed, len(r.Stdout), r.Cut)
	}
	r, failed = a.sh(t, "yes", nil)
	if failed != "" || r.Code != 121 || r.Ended != "output" || len(r.Stdout) > 100000 {
		t.Errorf("%s %d %s", failed, r.Code, r.Ended)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var busy, done int
	for range 5 {
		all.Go(func() {
			_, failed := a.sh(t, "sleep 3", nil)
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(failed, "--runs") {
				busy++
			} else if failed == "" {
				done++
			}
		})
	}
	all.Wait()
	if busy != 3 || done != 2 {
		t.Errorf("%d busy, %d done", busy, done)
	}
}

// boxGone waits until no process has the word in its command line.
func boxGone(t *testing.T, word string) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out, _ := exec.Command("pgrep", "-f", word).Output(); strings.TrimSpace(string(out)) == "" {
			return
		}
	}
	t.Errorf("%s still runs", word)
}

func boxThere(t *testing.T, word string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if out, _ := exec.Command("pgrep", "-fx", word).Output(); strings.TrimSpace(string(out)) != "" {
			return
		}
	}
	t.Fatalf("%s does not run", word)
}

// A request that is cancelled, a client that goes and a server that is killed leave
// no box.
func TestAgentsBoxesEndWithIt(t *testing.T) {
	b := newBoxed(t)
	const script = "trap '' TERM HUP INT; sleep %d; echo"
	a := b.agent(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = a.call(t, ctx, "run", map[string]any{"command": []string{"sh", "-c", fmt.Sprintf(script, 98761)}}, nil)
	}()
	boxThere(t, "sleep 98761")
	cancel()
	boxGone(t, "sleep 98761")
	if r, failed := a.sh(t, "echo still here", nil); failed != "" || r.Stdout != "still here\n" {
		t.Errorf("after a cancelled request: %s %+v", failed, r)
	}
	for how, end := range map[string]func(r raw){
		"the client goes":      func(r raw) { _ = r.in.Close() },
		"the server is killed": func(r raw) { _ = r.cmd.Process.Kill() },
		"the server is ended":  func(r raw) { _ = r.cmd.Process.Signal(os.Interrupt) },
	} {
		r := b.raw(t)
		_, err := io.WriteString(r.in, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"run","arguments":{"command":["sh","-c","`+fmt.Sprintf(script, 98762)+`"]}}}`+"\n")
		must(t, err)
		boxThere(t, "sleep 98762")
		end(r)
		boxGone(t, "sleep 98762")
		ended := make(chan error, 1)
		go func() { _, _ = io.Copy(io.Discard, r.out); ended <- r.cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("the server goes on")
		}
		if t.Failed() {
			t.Fatal(how)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(tested.dir, "boxes/boxes/mcp-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The configuration of the page serves the tools that the page lists.
func TestAgentAsThePageSays(t *testing.T) {
	b := newBoxed(t)
	found := false
	for _, block := range blocksOf(t, "docs/sandbox.md", "json") {
		var page struct {
			McpServers map[string]struct {
				Command string
				Args    []string
			}
		}
		must(t, json.Unmarshal([]byte(block), &page))
		for _, s := range page.McpServers {
			if s.Command != "hatchctl" || s.Args[0] != "mcp" {
				t.Fatalf("%+v", s)
			}
			a := b.agent(t, s.Args[1:]...)
			tools, err := a.ListTools(t.Context(), nil)
			must(t, err)
			for _, tool := range tools.Tools {
				if !strings.Contains(read(t, "../docs/sandbox.md"), "| `"+tool.Name+"` |") {
					t.Errorf("the page has no %s", tool.Name)
				}
			}
			if r, failed := a.sh(t, "cat README", nil); failed != "" || r.Stdout != "read me\n" {
				t.Errorf("%s %+v", failed, r)
			}
			found = true
		}
	}
	if !found {
		t.Error("the page has no configuration")
	}
}

// raw speaks the protocol without a library.
type raw struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (r raw) ask(t *testing.T, line string) map[string]any {
	t.Helper()
	_, err := io.WriteString(r.in, line+"\n")
	must(t, err)
	answer, err := r.out.ReadString('\n')
	if err != nil {
		return nil
	}
	if strings.ContainsAny(strings.TrimSuffix(answer, "\n"), "\x00\x1b\n\u009b\u202e") {
		t.Errorf("control characters: %q", answer)
	}
	var got map[string]any
	must(t, json.Unmarshal([]byte(answer), &got))
	return got
}

// raw starts a server, and greets it.
func (b *boxed) raw(t *testing.T) raw {
	t.Helper()
	cmd := b.mcp(t)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r := raw{cmd, in, bufio.NewReaderSize(out, 1<<20)}
	got := r.ask(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`)
	if res, _ := got["result"].(map[string]any); res["protocolVersion"] != "2025-06-18" {
		t.Fatalf("%v", got)
	}
	_, err = io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	must(t, err)
	return r
}

func TestAgentWithoutALibrary(t *testing.T) {
	b := newBoxed(t)
	r := b.raw(t)
	cmd, in := r.cmd, r.in
	if res, _ := r.ask(t, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)["result"].(map[string]any); len(res["tools"].([]any)) != 5 {
		t.Errorf("%v", res)
	}
	got := r.ask(t, `{"jsonrpc":"2.0","id":"three","method":"tools/call","params":{"name":"run","arguments":{"command":["sh","-c","printf 'a\\033[2J\\342\\200\\256\\000b'"]}}}`)
	res, _ := got["result"].(map[string]any)
	content, _ := res["structuredContent"].(map[string]any)
	if got["id"] != "three" || content["stdout"] != `a\u001b[2J\u202e\u0000b` {
		t.Errorf("%v", got)
	}
	for _, line := range []string{
		`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"run\u001b[2J","arguments":{"command":["true"]}}}`,
		`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"run","arguments":{"command":["true"],"rw":["\u001b[2J\u202e"]}}}`,
		`{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"run","arguments":[]}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"why","arguments":{"name":7}}}`,
		`{"jsonrpc":"2.0","id":8,"method":"no/such"}`,
	} {
		got := r.ask(t, line)
		result, _ := got["result"].(map[string]any)
		if got["error"] == nil && result["isError"] != true {
			t.Errorf("%s: %v", line, got)
		}
	}
	// Too much of a line ends the session, and starts nothing.
	go func() { _, _ = io.WriteString(in, `{"jsonrpc":"2.0","id":9,"method":"`+strings.Repeat("x", 6<<20)) }()
	ended := make(chan error, 1)
	go func() { _, _ = io.Copy(io.Discard, r.out); ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("a line without an end is read on and on")
		_ = cmd.Process.Kill()
	}
}

// An ordinary user's agent has boxes of that user's.
func TestAgentOfAnOrdinaryUser(t *testing.T) {
	o := newOrdinary(t, true)
	out, errs, _ := o.sh(t, `{
echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}'
echo '{"jsonrpc":"2.0","method":"notifications/initialized"}'
echo '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"run","arguments":{"command":["sh","-c","cat README .env; id -u; echo x >made; echo x >../out"]}}}'
sleep 8; } | hatchctl mcp --rw .`)
	if !strings.Contains(out, `"stdout":"read me\n54321\n"`) || strings.Contains(out, "the-secret") || read(t, o.dir+"/home/work/made") != "x\n" {
		t.Errorf("%s\n%s", out, errs)
	}
	if _, err := os.Stat(o.dir + "/home/out"); err == nil {
		t.Error("it wrote beside its directory")
	}
}

// Flags that give nothing are told before a client is served.
func TestAgentIsNotServedWithBadFlags(t *testing.T) {
	b := newBoxed(t)
	for _, flags := range [][]string{{"--rw", "/proc"}, {"--allow", "internet:443"}, {"--runs", "0"}, {"--preset", "x"}, {"--secret", "NOT_SET_HERE"}, {"--policy-from", "README"}, {"--name", "x"}, {"x"}} {
		cmd := b.mcp(t, flags...)
		cmd.Stdin = strings.NewReader("")
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 3 && code != 64 || !strings.Contains(string(out), "hatchctl:") {
			t.Errorf("%v: %d %s", flags, code, out)
		}
	}
}
