package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// nameHelp says what a command takes for a container.
const nameHelp = `CONTAINER is a name, an id or the start of one (four characters at least), a pod as
NAMESPACE/POD, or a container of a pod as NAMESPACE/POD/CONTAINER.`

var errManyContainers = errors.New("more than one container fits")

// fit is how well a name fits a container; less is better.
type fit int

const (
	fitID fit = iota
	fitName
	fitPod // the name of a pod fits a container of it
	fitStart
	fitNot
)

func fits(name, id string, w workload.Workload) fit {
	const least = 4
	switch {
	case name == "":
		return fitNot
	case id == name:
		return fitID
	case w.Name == name, w.Pod != "" && w.Path() == name:
		return fitName
	case w.Pod != "" && w.Namespace+"/"+w.Pod == name:
		return fitPod
	case len(name) >= least && len(id) > len(name) && id[:len(name)] == name:
		if hexadecimal(name) {
			return fitName // nobody hides a container behind a name that looks like its id
		}
		return fitStart
	}
	return fitNot
}

func hexadecimal(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// best keeps what fits best.
func best[T any](all []T, of func(T) fit) []T {
	least := fitNot
	for _, one := range all {
		least = min(least, of(one))
	}
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return least == fitNot || of(one) != least })
}

// who is the workload of a record, with the names that its engine has for it
// now: it may have been renamed since.
func (o *options) who(e decision.Entry) workload.Workload {
	if e.Record == nil {
		return workload.Workload{ID: e.ID}
	}
	w := e.Record.Decision.Workload
	original, err := o.store().Original(e.Root, e.ID)
	var s specs.Spec
	if err != nil || json.Unmarshal(original, &s) != nil {
		return w
	}
	if now := workload.Identify(&s, e.ID, e.Record.Decision.Bundle); now.Name != "" {
		w.Name = now.Name
	}
	return w
}

// find looks a container up among the records. Those of one id below several
// roots are one.
func (o *options) find(name string) ([]decision.Entry, error) {
	all, err := o.store().List()
	if err != nil {
		return nil, err
	}
	found := best(all, func(e decision.Entry) fit {
		w := workload.Workload{}
		if f := fits(name, e.ID, w); f == fitID {
			return f
		}
		return fits(name, e.ID, o.who(e))
	})
	ids := map[string]bool{}
	for _, e := range found {
		ids[e.ID] = true
	}
	if len(ids) > 1 {
		return nil, o.several(name, found)
	}
	return found, nil
}

// several names all that fit, each by its id.
func (o *options) several(name string, found []decision.Entry) error {
	var all []string
	for _, e := range found {
		all = append(all, called(e.ID, o.who(e)))
	}
	return fmt.Errorf("%q: %w: %s; give an id", name, errManyContainers, strings.Join(all, ", "))
}

// called is a container's id, with what else tells it from others.
func called(id string, w workload.Workload) string {
	var more []string
	for _, word := range []string{w.Engine, w.Called(), w.Image} {
		if word != "" {
			more = append(more, word)
		}
	}
	if len(more) == 0 {
		return shortID(id)
	}
	return shortID(id) + " (" + harmless(strings.Join(more, " ")) + ")"
}

// one is the container that runs under a name.
func (o *options) one(name string) (decision.Entry, error) {
	found, err := o.find(name)
	switch {
	case err != nil:
		return decision.Entry{}, err
	case len(found) == 0:
		return decision.Entry{}, fmt.Errorf("no container %q runs under hatchdog; 'hatchctl list' shows those that do", name)
	case len(found) > 1:
		return decision.Entry{}, o.several(name, found)
	case found[0].Record == nil:
		return decision.Entry{}, found[0].Err
	}
	return found[0], nil
}

// completeNames offers the names of containers to the shell, and the ids of
// those without one.
func (o *options) completeNames(_ *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := o.store().List()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, e := range all {
		w := o.who(e)
		name := w.Called()
		if name == "" || !strings.HasPrefix(name, start) {
			name = shortID(e.ID)
		}
		if strings.HasPrefix(name, start) {
			names = append(names, harmless(name)+"\t"+harmless(strings.TrimSpace(w.Engine+" "+w.Image)))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
