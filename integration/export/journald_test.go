package export

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// journal runs the host's own journald over folders of its own, runs the export of
// what is there, and prints the journal.
const journal = `
set -e
mount --make-rprivate /
mount -t tmpfs run /run
mount -t tmpfs log /var/log
mkdir -p /run/systemd/journal /run/log/journal
/lib/systemd/systemd-journald >"$1/journald.log" 2>&1 &
journald=$!
trap 'kill $journald' EXIT
for i in $(seq 200); do [ -S /run/systemd/journal/socket ] && break; sleep 0.05; done
shift
"$@" >&2
for i in $(seq 200); do
	journalctl --directory=/run/log/journal --sync >/dev/null 2>&1 || true
	[ "$(journalctl --directory=/run/log/journal -t hatchdog -o json 2>/dev/null | wc -l)" -ge 3 ] && break
	sleep 0.05
done
journalctl --directory=/run/log/journal -t hatchdog -o json --all
`

// The page's example writes to a real journald, which keeps a record for each line
// with its fields, also of one that is larger than a datagram.
func TestJournald(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("journald is started by root")
	}
	p := newPlace(t)
	p.configure(t, example(t, "journald"))
	p.write(t, 3)
	cmd := exec.Command("unshare", append([]string{"--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", journal, "sh", p.dir}, p.command("--once").Args...)...)
	var said output
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said.String(), read(t, p.dir+"/journald.log"))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d records:\n%s\n%s", len(lines), out, said.String())
	}
	for _, line := range lines {
		var fields map[string]any
		must(t, json.Unmarshal([]byte(line), &fields))
		if fields["HATCHDOG_OUTCOME"] != "refused" || fields["PRIORITY"] != "4" || fields["IMAGE_NAME"] != "nginx" || !strings.Contains(fields["CONTAINER_NAME"].(string), "MESSAGE=x") ||
			!strings.HasPrefix(fields["MESSAGE"].(string), `web"]\u000a<13>1`) || !json.Valid([]byte(fields["HATCHDOG_EVENT"].(string))) {
			t.Errorf("%s", line)
		}
	}
}
