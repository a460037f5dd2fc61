package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	byFile  = regexp.MustCompile(`(?m)^(?:kubectl|docker build) .*-[kf] (deploy/\S+)`)
	byLabel = regexp.MustCompile(`(?m)^kubectl label \S+ \S+ ([\w./-]+)=(\w+)$`)
)

// What the pages give kubectl and docker is there, and the labels are those
// that the manifests look for.
func TestDocsOfKubernetes(t *testing.T) {
	manifests := ""
	found, err := filepath.Glob(top + "deploy/kubernetes/*/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(found, top+"deploy/kubernetes/base/daemonset.yaml") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		manifests += string(data)
	}
	seen := 0
	for name, page := range pages(t) {
		lines, _ := commands(page)
		text := strings.Join(lines, "\n")
		for _, m := range byFile.FindAllStringSubmatch(text, -1) {
			seen++
			if _, err := os.Stat(top + m[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, m := range byLabel.FindAllStringSubmatch(text, -1) {
			seen++
			if !strings.Contains(manifests, m[1]+`: "`+m[2]+`"`) {
				t.Errorf("%s: no manifest looks for the label %s=%s", name, m[1], m[2])
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d files and labels", seen)
	}
}
