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
	entry, err := json.Marshal(map[string]string{"path": o.Binary})
	if err != nil {
		return nil, err
	}
	before := doc.render()
	if !sameJSON(runtimes.get(name), entry) {
		runtimes.set(name, entry)
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

func sameJSON(a, b []byte) bool {
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return x.Canonicalize() == nil && y.Canonicalize() == nil && bytes.Equal(x, y)
}
