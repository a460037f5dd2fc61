package door

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
)

// sayMost bounds how many refusals one message spells out.
const sayMost = 3

// refused is the error of a request that the policy does not admit.
type refused struct{ refusals []*control.Refusal }

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

// oneLine is the message that an engine shows: the container, what failed,
// and where the whole of it is.
func oneLine(err error, call *argv.Call) string {
	id := ""
	if call != nil {
		id = call.ID
	}
	msg := "hatchdog: "
	if id != "" {
		msg += "container " + id + ": "
	}
	msg += flat(err)
	var r *refused
	if errors.As(err, &r) && id != "" {
		msg += ". Details: 'hatchctl explain " + short(id) + "'"
	}
	return msg
}

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
