package door

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
)

// sayMost bounds how many refusals one message spells out.
const sayMost = 3

// refused is the error of a request that the policy does not admit.
type refused struct{ refusals []*control.Refusal }

func (r *refused) Error() string {
	var b strings.Builder
	b.WriteString("refused by policy: ")
	for i, one := range r.refusals {
		if i == sayMost {
			fmt.Fprintf(&b, "; and %d more", len(r.refusals)-sayMost)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(one.Error())
	}
	return b.String()
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
	msg += strings.Join(strings.Fields(err.Error()), " ")
	var r *refused
	if errors.As(err, &r) && id != "" {
		msg += ". All of it: hatchctl explain " + id
	}
	return msg
}
