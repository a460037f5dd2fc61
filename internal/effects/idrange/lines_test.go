package idrange

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/host"
)

func TestLinesReadBack(t *testing.T) {
	word := rapid.StringMatching(`[a-zA-Z0-9_.+-]{1,70}`)
	holder := rapid.Custom(func(t *rapid.T) Holder {
		return Holder{Root: "/" + rapid.String().Draw(t, "root"), ID: word.Draw(t, "id"), Creator: word.Draw(t, "creator"), Record: "/" + word.Draw(t, "record")}
	})
	one := rapid.Custom(func(t *rapid.T) Range {
		r := Range{IDRange: host.IDRange{Base: rapid.Uint32().Draw(t, "base"), Size: rapid.Uint32Min(1).Draw(t, "size")}}
		r.Holders = rapid.SliceOfN(holder, 1, 3).Draw(t, "holders")
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		want := &state{Boot: word.Draw(t, "boot"), Lost: rapid.Bool().Draw(t, "lost"), Swept: rapid.IntRange(0, 99).Draw(t, "swept"), Ranges: rapid.SliceOfN(one, 1, 5).Draw(t, "ranges")}
		data, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(data)
		if err != nil {
			t.Fatal(err)
		}
		untouched, err := again.encode()
		if err != nil || string(untouched) != string(data) {
			t.Fatalf("%s\nis written back as\n%s (%v)", data, untouched, err)
		}
		for i := range again.Ranges {
			again.Ranges[i].look()
			for _, h := range want.Ranges[i].Holders {
				if !again.Ranges[i].names(h.ID) {
					t.Fatalf("%q is not found", h.ID)
				}
			}
		}
		for i := range want.Ranges { // JSON writes what is not UTF-8 as something else
			for k := range want.Ranges[i].Holders {
				want.Ranges[i].Holders[k].Root = strings.ToValidUTF8(want.Ranges[i].Holders[k].Root, "\ufffd")
			}
		}
		if !reflect.DeepEqual(again, want) {
			t.Fatalf("%+v\nnot %+v", again, want)
		}
	})
}

func TestLinesThatCannotBeRead(t *testing.T) {
	head := `{"boot":"b","ranges":"lines"}` + "\n"
	for _, text := range []string{
		"", "x", `{"boot":"b"}`, `{"boot":"b","ranges":"x"}`, head + "1", head + "1 65536 {}", head + "1 {}\n", head + "x 65536 {}\n", head + "1 0 {}\n", head + "4294967296 65536 {}\n", head + "\n",
	} {
		if st, err := parse([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, st)
		}
	}
	st, err := parse([]byte(head + "65536 65536 garbled\n131072 65536 {\"base\":7,\"size\":65536,\"holders\":[{\"id\":\"a\"}]}\n"))
	if err != nil || len(st.Ranges) != 2 {
		t.Fatalf("%+v, %v", st, err)
	}
	for i := range st.Ranges {
		if st.Ranges[i].look(); len(st.Ranges[i].Holders) > 0 || st.Ranges[i].Size != Size {
			t.Errorf("a range of which nobody knows the holders: %+v", st.Ranges[i])
		}
	}
	old, err := parse([]byte(`{"boot":"b","ranges":[{"base":65536,"holders":[{"root":"/r","id":"a","creator":"1","record":"/x"}]}],"swept":1}`))
	if err != nil || len(old.Ranges) != 1 || old.Ranges[0].Size != Size || !old.Ranges[0].names("a") || old.Swept != 1 {
		t.Errorf("of the version before: %+v, %v", old, err)
	}
}

// The version before takes the file for one that it cannot read, and not for one
// without ranges.
func TestLinesBeforeTheVersionBefore(t *testing.T) {
	data, err := (&state{Boot: "b", Ranges: []Range{{IDRange: host.IDRange{Base: 65536, Size: Size}}}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	var old struct {
		Ranges []Range `json:"ranges"`
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&old); err == nil {
		t.Errorf("%s reads as %+v", data, old)
	}
}

// A line of the kubelet's says where its pods' ids come from.
func TestTheKubeletsLine(t *testing.T) {
	for lines, want := range map[string]bool{"": true, "dockremap:100000:65536\n": true, "kubelet:131072:65536\n": false} {
		for _, file := range []string{"etc/subuid", "etc/subgid"} {
			s, _ := place(t, map[string]string{file: lines})
			o, err := s.Owners()
			if err != nil || o.KubeletAny != want {
				t.Errorf("%s %q: %v %v", file, lines, o.KubeletAny, err)
			}
		}
	}
}
