package door

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// sayMost bounds how many refusals one message spells out.
const sayMost = 3

// refused is the error of a request that the policy does not admit.
type refused struct {
	refusals []*control.Refusal
	who      workload.Workload
}

// Error numbers the refusals where there are several: each is a sentence.
func (r *refused) Error() string {
	if len(r.refusals) == 1 {
		return "refused by policy: " + r.refusals[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "refused by policy in %d places:", len(r.refusals))
	for i, one := range r.refusals {
		if i == sayMost {
			fmt.Fprintf(&b, " And %d more.", len(r.refusals)-sayMost)
			break
		}
		fmt.Fprintf(&b, " (%d) %s.", i+1, one.Error())
	}
	return strings.TrimSuffix(b.String(), ".")
}

// about is an error of a container whose names are known.
type about struct {
	who workload.Workload
	err error
}

func (a *about) Error() string { return a.err.Error() }
func (a *about) Unwrap() error { return a.err }

// oneLine is the message that an engine shows: the container, what failed,
// and where the whole of it is.
func oneLine(err error, call *argv.Call) string {
	var r *refused
	var a *about
	var who workload.Workload
	isRefused := errors.As(err, &r)
	if isRefused {
		who = r.who
	} else if errors.As(err, &a) {
		who = a.who
	}
	name, id, said := "", "", flat(err)
	switch {
	case who.Engine == workload.CRI && who.Pod != "":
		// The kubelet tries again under another id: a message that stays the same
		// is one event with a count.
		id = who.Path()
		name = "pod " + id
		if call != nil && call.ID != "" {
			said = strings.ReplaceAll(said, call.ID, "ID")
		}
	case call != nil && call.ID != "":
		id = short(call.ID)
		name = "container " + call.ID
		if who.Name != "" {
			name = "container " + plain.Cut(who.Name, maxName/2) + " (" + id + ")"
		}
	}
	msg := "hatchdog: "
	if name != "" {
		msg += plain.Cut(name, maxName) + ": "
	}
	msg += plain.Cut(said, maxMessage)
	if isRefused && id != "" {
		msg += ". Details: 'hatchctl explain " + id + "'"
	}
	return plain.Line(msg)
}

// The longest name and the longest message that are told, in bytes: engines put
// them into events and logs of their own.
const (
	maxName    = 300
	maxMessage = 4 << 10
)

// flat brings an error to one line.
func flat(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// short is as much of an engine's id as its users see. hatchctl takes it.
func short(id string) string {
	const hexID, seen = 64, 12
	if len(id) == hexID {
		return id[:seen]
	}
	return id
}
