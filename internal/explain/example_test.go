package explain_test

import (
	"fmt"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// The changes of a decision say what a container lost.
func ExampleCannot() {
	changes := []control.Attributed{
		{Control: policy.UserNS, Change: control.Change{Field: "linux.namespaces[user]", After: "new"}},
		{Control: policy.Capabilities, Change: control.Change{Field: "process.capabilities.bounding", Before: "CAP_CHOWN CAP_NET_RAW", After: "CAP_CHOWN"}},
	}
	for _, what := range explain.Cannot(changes, nil) {
		fmt.Println(what)
	}
	// Output:
	// become root of the host
	// forge network packets
}

// A refusal comes with the smallest policy that admits the request, and with
// whether that is wise.
func ExampleAdmitting() {
	r := &control.Refusal{Control: policy.Namespaces, Field: "linux.namespaces[pid]", Grants: []control.Grant{control.Add("namespaces.host", "pid")}}
	who := workload.Workload{Engine: workload.CRI, Namespace: "monitoring", Pod: "agent"}
	fmt.Print(explain.Admitting(who, "restricted", "", []*control.Refusal{r}))
	fmt.Println(explain.Wise(r))
	// Output:
	// version: 1
	// rules:
	//   - match: {engine: cri, namespace: "monitoring", pod: "agent"}
	//     profile: restricted
	//     namespaces: {host: [inherited, pid]}
	// no, except for agents of the host: it sees every process of the host, and signals them
}
