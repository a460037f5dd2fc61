package policy_test

import (
	"fmt"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// A rule gives a workload its profile. Each value knows the place that set it.
func ExamplePolicy_Resolve() {
	builtin, err := policy.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := builtin.Before("policy.yaml", []byte(`version: 1
rules:
  - match: {engine: cri, namespace: jobs}
    profile: untrusted
    pids: {max: 512}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := p.Resolve(workload.Workload{Engine: workload.CRI, Namespace: "jobs", Pod: "build"})
	fmt.Println(job.Profile.Where("pids.max"), *job.Profile.Pids.Max, err)
	other, err := p.Resolve(workload.Workload{Engine: workload.Docker, Name: "web"})
	fmt.Println(other.Profile.Name, *other.Profile.Pids.Max, err)
	// Output:
	// policy.yaml:5 pids.max 512 <nil>
	// builtin/restricted 1024 <nil>
}

// Every error of a file comes at once, with its line and column.
func ExampleCheck() {
	fmt.Println(policy.Check("policy.yaml", []byte(`version: 1
mode: enforced
profile: restrictd
`)))
	// Output:
	// policy.yaml:2:7: mode: "enforced" is not one of enforce, complain; did you mean "enforce"?
	// policy.yaml:3:10: profile: no profile "restrictd"; did you mean "restricted"?
}
