package door

import (
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/argv"
)

// A relative socket is where it was, and everything else stays.
func TestElsewhere(t *testing.T) {
	for line, want := range map[string]string{
		"--root /r create --bundle /b --pid-file p c1": "--root /r create --bundle /rec --pid-file p c1",
		"run -b /b c1":                         "run -b /rec c1",
		"run -d c1":                            "run --bundle /rec -d c1",
		"create --bundle=/b c1":                "create --bundle=/rec c1",
		"run --console-socket s c1":            "run --bundle /rec --console-socket /b/s c1",
		"run --console-socket=/s -b /b c1":     "run --console-socket=/s -b /rec c1",
		"restore --bundle /b --image-path i c": "restore --bundle /rec --image-path i c",
	} {
		call, err := argv.Parse(append([]string{"hatchdog"}, strings.Fields(line)...), func() bool { return false }, func(string) string { return "" })
		if err != nil {
			t.Fatal(line, err)
		}
		if got := strings.Join(elsewhere(call, "/b", "/rec")[1:], " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
