package install

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Docker is daemon.json.
type Docker struct{}

const (
	runtimesKey = "runtimes"
	defaultKey  = "default-runtime"
	pathKey     = "path"
	typeKey     = "runtimeType"
)

// Add sets runtimes.hatchdog, and default-runtime where asked.
func (Docker) Add(raw []byte, o Options) ([]byte, error) {
	doc, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	runtimes, err := parseObject(doc.get(runtimesKey))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", runtimesKey, err)
	}
	entry, err := parseObject(runtimes.get(name))
	if err != nil || entry != nil && !entry.runsHatchdog() {
		return nil, fmt.Errorf("%s.%s: %w", runtimesKey, name, ErrConflict)
	}
	path, err := json.Marshal(o.Binary)
	if err != nil {
		return nil, err
	}
	before := doc.render()
	if entry.get(typeKey) == nil && !sameJSON(entry.get(pathKey), path) {
		entry.set(pathKey, path) // and its runtimeArgs stay
		runtimes.set(name, entry.render())
		doc.set(runtimesKey, runtimes.render())
	}
	if o.SetDefault && !sameJSON(doc.get(defaultKey), []byte(`"`+name+`"`)) {
		doc.set(defaultKey, []byte(`"`+name+`"`))
	}
	if raw != nil && bytes.Equal(before, doc.render()) {
		return raw, nil
	}
	return doc.text()
}

// runsHatchdog tells the entry of a runtime that is hatchdog from another's of
// this name.
func (o object) runsHatchdog() bool {
	var program, shim string
	if v := o.get(pathKey); v != nil && json.Unmarshal(v, &program) != nil {
		return false
	}
	if v := o.get(typeKey); v != nil && json.Unmarshal(v, &shim) != nil {
		return false
	}
	return ours(program) || shim == shimType
}

// Remove takes the runtime away, and the default if it is hatchdog.
func (Docker) Remove(raw []byte) ([]byte, error) {
	if raw == nil {
		return nil, nil
	}
	doc, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	runtimes, err := parseObject(doc.get(runtimesKey))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", runtimesKey, err)
	}
	if entry, err := parseObject(runtimes.get(name)); err != nil || entry != nil && !entry.runsHatchdog() {
		return raw, nil // another's
	}
	isDefault := sameJSON(doc.get(defaultKey), []byte(`"`+name+`"`))
	if runtimes.get(name) == nil && !isDefault {
		return raw, nil
	}
	runtimes.drop(name)
	doc.set(runtimesKey, runtimes.render())
	if len(runtimes) == 0 {
		doc.drop(runtimesKey)
	}
	if isDefault {
		doc.drop(defaultKey)
	}
	return doc.text()
}

// giveBack sets the default of before hatchdog in a file that others have
// changed since.
func (Docker) giveBack(before, clean, backup []byte) ([]byte, error) {
	var docs [3]object
	for i, raw := range [][]byte{before, clean, backup} {
		var err error
		if docs[i], err = parseObject(raw); err != nil {
			return nil, err
		}
	}
	old := docs[2].get(defaultKey)
	if old == nil || !sameJSON(docs[0].get(defaultKey), []byte(`"`+name+`"`)) || docs[1].get(defaultKey) != nil {
		return clean, nil
	}
	docs[1].set(defaultKey, old)
	return docs[1].text()
}

func sameJSON(a, b []byte) bool {
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return x.Canonicalize() == nil && y.Canonicalize() == nil && bytes.Equal(x, y)
}
