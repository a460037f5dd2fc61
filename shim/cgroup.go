package shim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// systemdPath reports whether the spec's cgroupsPath is one for systemd,
// SLICE:PREFIX:NAME. containerd writes it so exactly where the kubelet names a
// slice, and there is no other place that tells this runtime type.
func systemdPath(bundle string) bool {
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil {
		return false // hatchdog says what is wrong with it
	}
	var spec struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if json.Unmarshal(data, &spec) != nil {
		return false
	}
	parts := strings.Split(spec.Linux.CgroupsPath, ":")
	return len(parts) == 3 && strings.HasSuffix(parts[0], ".slice")
}
