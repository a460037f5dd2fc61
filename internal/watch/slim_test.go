package watch

import (
	"slices"
	"testing"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// A watch that begins anew holds the containers that are there by their records.
func TestSlimRecordsSayWhatIsHeld(t *testing.T) {
	r := slim(&decision.Record{Prevent: []string{"drift"}, PreventBy: policy.ByWatch})
	if !slices.Equal(r.Prevent, []string{"drift"}) || r.PreventBy != policy.ByWatch {
		t.Errorf("%+v", r)
	}
}
