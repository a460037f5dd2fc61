package guard

import "testing"

func TestMappingsAreTheContainersOwn(t *testing.T) {
	doc := func(hostID, size, mount string) string {
		m := ""
		if mount != "" {
			m = `,"mounts":[{"destination":"/v","type":"bind","source":"/v","uidMappings":[` + mount + `]}]`
		}
		one := `[{"containerID":0,"hostID":` + hostID + `,"size":` + size + `}]`
		return `{"linux":{"namespaces":[{"type":"user"}],"uidMappings":` + one + `,"gidMappings":` + one + `}` + m + `}`
	}
	same := `{"containerID":0,"hostID":300000,"size":10}`
	for name, c := range map[string]struct {
		doc string
		ok  bool
	}{
		"own":              {doc("300000", "10", ""), true},
		"the mount's too":  {doc("300000", "10", same), true},
		"another mount's":  {doc("300000", "10", `{"containerID":0,"hostID":0,"size":1}`), false},
		"host's accounts":  {doc("1000", "1", ""), false},
		"too many":         {doc("4294967295", "2", ""), false},
		"somebody else's":  {doc("499990", "11", ""), false},
		"up to them":       {doc("499990", "10", ""), true},
		"no namespace":     {`{"mounts":[{"destination":"/v","uidMappings":[` + same + `]}]}`, false},
		"empty":            {`{"mounts":[{"destination":"/v","uidMappings":[]}]}`, true},
		"not of its shape": {`{"mounts":[{"destination":"/v","uidMappings":7}]}`, false},
	} {
		ev := Evidence{Foreign: [][2]uint32{{500000, 65536}}}
		if err := Check([]byte(c.doc), []byte(c.doc), ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := `{"linux":{"namespaces":[],"uidMappings":[` + same + `]},"mounts":[{"destination":"/v","type":"bind","source":"/v","options":["idmap"],"uidMappings":[` + same + `]}]}`
	after := `{"linux":{"namespaces":[{"type":"user"}],"uidMappings":[{"containerID":0,"hostID":400000,"size":10}]},"mounts":[{"destination":"/v","type":"bind","source":"/v","options":[]}]}`
	if err := Check([]byte(before), []byte(after), Evidence{Foreign: [][2]uint32{}}); err != nil {
		t.Errorf("replaced by the container's: %v", err)
	}
	gone := `{"linux":{"namespaces":[]},"mounts":[{"destination":"/v","type":"bind","source":"/v","options":[]}]}`
	if Check([]byte(before), []byte(gone), Evidence{}) == nil {
		t.Error("left out without a user namespace")
	}
}
