package engine

import (
	"strings"
	"testing"
)

func TestOtherReleases(t *testing.T) {
	docker := Releases{"20.10", "29"}
	for version, want := range map[string]string{
		"20.10.24+dfsg1": "", "29.9.3": "", "26.1.5": "", "19.03.15": "older than the releases that hatchdog was tried with, 20.10 to 29",
		"20.9": "older", "30.0.0-rc1": "newer", "20": "older", "": "", "library-import": "",
	} {
		if got := docker.Other(version); want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q", version, got)
		}
	}
	if got := (Releases{"1.35", "1.35"}).Other("1.36.0"); got != "newer than the release that hatchdog was tried with, 1.35" {
		t.Error(got)
	}
	for name, r := range Runtimes() {
		if r.Other(r.Oldest+".0") != "" || r.Other(r.Newest+".9") != "" {
			t.Errorf("%s: its own ends are not of it", name)
		}
	}
}
