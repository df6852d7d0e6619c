package node

import "testing"

func TestUserNamespacesAreSeenByTheirMapping(t *testing.T) {
	for mapped, want := range map[string]bool{
		"":                                 false,
		"         0          0 4294967295": false,
		"         0     100000      65536": true,
		"         0          0      65536": true,
	} {
		if got := inUserNamespace(mapped); got != want {
			t.Errorf("%q: %v", mapped, got)
		}
	}
}
