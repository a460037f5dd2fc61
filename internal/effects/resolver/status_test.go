package resolver

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a resolver that is taken over writes is no longer than what one that works
// does.
func TestStatusIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status")
	var st Status
	for range 1000 {
		st.Refused = append(st.Refused, Refused{Name: strings.Repeat("x", 400), Reason: strings.Repeat("y", 400)})
	}
	st.Names = []Name{{Name: "a", Addrs: []netip.Addr{netip.MustParseAddr("fe80::1%\x1b[2J")}}}
	data, err := json.Marshal(st)
	must(t, err)
	must(t, os.WriteFile(file, data, 0o600))
	got, err := ReadStatus(file)
	if err != nil || len(got.Refused) != refusedMost || len(got.Refused[0].Name) != longest {
		t.Errorf("%d %v", len(got.Refused), err)
	}
	if len(got.Names) != 1 || got.Names[0].Addrs[0].String() != "fe80::1" {
		t.Errorf("%+v", got.Names)
	}
	must(t, os.WriteFile(file, append(data, make([]byte, maxStatus)...), 0o600))
	if got, err := ReadStatus(file); err != nil || len(got.Refused) > 0 {
		t.Errorf("%d %v", len(got.Refused), err)
	}
	must(t, os.WriteFile(file, []byte("{"), 0o600))
	if _, err := ReadStatus(file); err == nil {
		t.Error("half a status is one")
	}
}
