package why

import (
	"strings"
	"testing"
)

func TestLabelled(t *testing.T) {
	const process = "system_u:system_r:container_t:s0:c1,c2"
	for target, says := range map[string]string{
		"system_u:object_r:var_t:s0":                  "the type container_t and the categories c1,c2 do that to a file of the type var_t;",
		"system_u:object_r:container_file_t:s0:c3,c4": "of the type container_file_t and the categories c3,c4;",
		"no label": `of the label "no label";`,
	} {
		f := (&Container{}).Labelled("read", "file", "/x", process, target, "seen")
		if f.Verdict != Other || f.Layer != LayerModule || f.What != "read /x" || !strings.Contains(f.Why, says) || len(f.Evidence) != 1 {
			t.Errorf("%s: %+v, want %q", target, f, says)
		}
	}
}
