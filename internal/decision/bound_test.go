package decision

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/workload"
	"pgregory.net/rapid"
)

func TestBounded(t *testing.T) {
	small := Decision{
		Time: time.Unix(5, 0), ID: "c1", Workload: workload.Workload{Choices: map[string]string{"profile": "x"}},
		Changes: []control.Attributed{{Control: "caps", Change: control.Change{Field: "f"}}}, Notes: []string{"n"},
	}
	if got := small.Bounded(MaxLogged); !reflect.DeepEqual(*got, small) {
		t.Errorf("%+v", got)
	}
	hostile := small
	hostile.Workload.Image = "a\nb\x1b]0;x\a\u202e"
	if got := hostile.Bounded(MaxLogged); got.Workload.Image != `a\u000ab\u001b]0;x\u0007\u202e` || hostile.Workload.Image == got.Workload.Image {
		t.Errorf("%q", got.Workload.Image)
	}
	large := small
	large.ID = strings.Repeat("i", 1<<20)
	large.Failure = strings.Repeat("\xff", 1<<20)
	large.Workload.Choices = map[string]string{}
	for i := range 2000 {
		text := strings.Repeat("é", i)
		large.Changes = append(large.Changes, control.Attributed{Control: "caps", Change: control.Change{Field: text, Before: text, After: text, Reason: text}})
		large.Refusals = append(large.Refusals, &control.Refusal{Field: text, Grants: []control.Grant{{Key: text}}})
		large.Notes = append(large.Notes, text)
		large.Workload.Choices[text] = text
	}
	for _, most := range []int{MaxLogged, maxRecorded} {
		got := large.Bounded(most)
		data, err := json.Marshal(got)
		if err != nil || len(data) > most || got.Cut == nil || got.Cut.Bytes < 1<<20 || len(got.Cut.SHA256) != 64 {
			t.Errorf("%d bytes of %d: %+v %v", len(data), most, got.Cut, err)
		}
		if !strings.Contains(strings.Join(got.Notes, " "), "more refusals are not kept") {
			t.Error(got.Notes)
		}
	}
	if len(large.Changes) != 2001 || large.Cut != nil {
		t.Error("the decision itself was changed")
	}
}

// The short way of Bounded takes no decision of which the long one changes a
// text.
func TestBoundedShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"\\<>&/]*`)).Draw(t, "text")
		d := Decision{ID: text, Notes: []string{text, "x" + text}, Workload: workload.Workload{Choices: map[string]string{text: text}}}
		data, err := json.Marshal(&d)
		if err != nil {
			t.Fatal(err)
		}
		same := reflect.ValueOf(d).Interface()
		whole := bounded(reflect.ValueOf(&d).Elem(), limits{text: -1, list: -1}).Interface()
		if shows(data) && !reflect.DeepEqual(same, whole) {
			t.Fatalf("%q is not shown as it is", text)
		}
	})
	for _, text := range []string{`say "no" \ <b> & more`, "/proc/sys"} {
		if data, err := json.Marshal(&Decision{ID: text}); err != nil || !shows(data) {
			t.Errorf("%q takes the long way: %v", text, err)
		}
	}
}
