package door

import (
	"errors"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestFlagRefusals(t *testing.T) {
	admits := *builtin(t, "restricted")
	admits.Restore = policy.RestoreAdmit
	for line, want := range map[string]string{
		"create --bundle /b --no-new-keyring c1":                      "",
		"create --bundle /b --no-pivot c1":                            "--no-pivot",
		"run --no-pivot=true --bundle /b c1":                          "--no-pivot",
		"run --no-pivot=false --bundle /b c1":                         "",
		"restore --bundle /b c1":                                      "restore",
		"restore --bundle /b --image-path i c1":                       "restore",
		"restore --bundle /b --lsm-profile apparmor:unconfined c1":    "restore --lsm-profile",
		"restore --bundle /b --manage-cgroups-mode full c1":           "restore --manage-cgroups-mode",
		"restore --bundle /b --manage-cgroups-mode=soft --no-pivot x": "--no-pivot restore",
	} {
		call, err := argv.Parse(append([]string{"hatchdog"}, strings.Fields(line)...), func() bool { return false }, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		for profile, want := range map[*policy.Profile]string{
			builtin(t, "baseline"): want, &admits: strings.TrimSpace(strings.ReplaceAll(" "+want+" ", " restore ", " ")),
		} {
			var got []string
			for _, r := range flagRefusals(profile, call) {
				got = append(got, r.Field)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s under %s: %v, want %q", line, profile.Name, got, want)
			}
		}
	}
	if all := flagRefusals(&admits, nil); all != nil {
		t.Error("a dry run has no flags:", all)
	}
}

func TestCrunIsNotGivenWhatItReadsOtherwise(t *testing.T) {
	f := held(t, builtin(t, "restricted"), "exec -process /x c1")
	if err := checkSpelling(f.call, "crun"); !errors.Is(err, errOneDash) {
		t.Error(err)
	}
	if err := checkSpelling(f.call, "runc"); err != nil {
		t.Error(err)
	}
}
