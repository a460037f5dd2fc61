package guard

import "testing"

// The domain's name may move from the setting to the field, and in no other way
// become what was not asked for.
func TestTheDomainsName(t *testing.T) {
	const asked = `{"linux":{"sysctl":{"kernel.domainname":"a.b"}}}`
	for name, c := range map[string]struct {
		before, after string
		ok            bool
	}{
		"moved":         {asked, `{"domainname":"a.b","linux":{"sysctl":{}}}`, true},
		"beside none":   {`{"domainname":"","linux":{"sysctl":{"kernel.domainname":"a.b"}}}`, `{"domainname":"a.b","linux":{"sysctl":{}}}`, true},
		"kept":          {asked, asked, true},
		"another":       {asked, `{"domainname":"c","linux":{"sysctl":{}}}`, false},
		"both":          {asked, `{"domainname":"a.b","linux":{"sysctl":{"kernel.domainname":"a.b"}}}`, false},
		"not asked for": {`{"linux":{}}`, `{"domainname":"a.b","linux":{}}`, false},
		"empty":         {`{"linux":{"sysctl":{"kernel.domainname":""}}}`, `{"domainname":"","linux":{"sysctl":{}}}`, false},
		"changed":       {`{"domainname":"x","linux":{"sysctl":{"kernel.domainname":"a.b"}}}`, `{"domainname":"a.b","linux":{"sysctl":{}}}`, false},
	} {
		if err := Check([]byte(c.before), []byte(c.after), Evidence{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
