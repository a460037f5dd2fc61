package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/hatchdog/hatchdog/internal/doctor"
)

// sandboxFindings says what boxes have here, and have not.
func (o *options) sandboxFindings(f *runFlags) []doctor.Finding {
	places, err := f.places()
	if err == nil {
		err = places.Check()
	}
	pol, polErr := o.policy()
	return doctor.ExamineSandbox(doctor.ProbeSandbox(pol, polErr, err, os.Getenv))
}

// strict refuses a box that would have less than it is to have. A way out matters
// where one is asked for.
func (o *options) strict(f *runFlags) error {
	var all []error
	for _, found := range o.sandboxFindings(f) {
		if found.Level == doctor.OK || found.Check == doctor.BoxNetwork && len(f.allow) == 0 {
			continue
		}
		all = append(all, fmt.Errorf("--strict: %s: %s: %s (do: %s)", found.Check, found.Found, found.Means, found.Remedy))
	}
	return errors.Join(all...)
}
