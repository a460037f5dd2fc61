package guard_test

import (
	"fmt"

	"github.com/hatchdog/hatchdog/internal/guard"
)

// The guard passes a document that takes away, and names the field of one that adds.
func ExampleCheck() {
	asked := []byte(`{"process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]}, "noNewPrivileges": true}}`)
	fmt.Println(guard.Check(asked, []byte(`{"process": {"capabilities": {"bounding": ["CAP_CHOWN"]}, "noNewPrivileges": true}}`), guard.Evidence{}))
	fmt.Println(guard.Check(asked, []byte(`{"process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_BPF"]}, "noNewPrivileges": false}}`), guard.Evidence{}))
	// Output:
	// <nil>
	// process.capabilities.bounding: a capability that was not asked for
	// process.noNewPrivileges: turned off
}
