package decision

import (
	"fmt"
	"os"
	"path/filepath"

	json "github.com/go-json-experiment/json/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	processFile = "process.json"
	configFile  = "config.json" // the spec of a bundle (OCI runtime spec)
)

// KeepProcess keeps the process of the spec that the low-level runtime gets:
// what an exec that is described by flags begins from. It is apart from the
// record, which is shown: a process has an environment.
func (c *Claim) KeepProcess(p *specs.Process) error {
	if p == nil {
		p = &specs.Process{}
	}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return writeFile(c.dir, processFile, data)
}

// KeepConfig makes the record's directory a bundle for the low-level runtime.
func (c *Claim) KeepConfig(spec []byte) error {
	return writeFile(c.dir, configFile, spec)
}

// Process reads what KeepProcess kept in the directory of a record. Where there
// is none the error is ErrNoRecord.
func Process(dir string) (*specs.Process, error) {
	data, err := os.ReadFile(filepath.Join(dir, processFile))
	if err != nil {
		return nil, noRecord(err)
	}
	var p specs.Process
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("record of %s: process: %w", filepath.Base(dir), err)
	}
	return &p, nil
}
