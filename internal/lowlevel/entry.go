package lowlevel

import (
	"bytes"
	"fmt"
	"time"

	json "github.com/go-json-experiment/json/v1"
)

// entry is one line of the engine's log. containerd's shim decodes the whole
// file as JSON: whatever msg holds, the line stays one object.
func entry(format, level, msg string, now time.Time) string {
	stamp := now.Format(time.RFC3339)
	if format != "json" {
		return fmt.Sprintf("time=%q level=%s msg=%q\n", stamp, level, msg)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{level, msg, stamp})
	if err != nil {
		return "" // three strings always encode
	}
	return b.String()
}
