package firewall

import (
	"errors"
	"testing"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// Only the last message of a transaction is acknowledged. One that fails before
// it fails them all, and what the kernel says of it is nobody else's answer.
func TestOneFailureFailsAll(t *testing.T) {
	retest.NeedRoot(t, "make network namespaces")
	ns := retest.Network(t)
	k, err := open(ns)
	must(t, err)
	defer k.close()
	nowhere := &nftables.Chain{Name: "nowhere", Table: table()}
	for range 3 {
		k.nft.AddTable(table())
		for range 5 {
			k.nft.AddRule(&nftables.Rule{Table: table(), Chain: nowhere})
		}
		k.nft.AddChain(&nftables.Chain{Name: "there", Table: table()})
		if err := k.nft.Flush(); !errors.Is(err, unix.ENOENT) {
			t.Fatalf("a rule of a chain that is not there: %v", err)
		}
		have, err := k.chains()
		must(t, err)
		if len(have) != 0 {
			t.Fatalf("half of a transaction: %v", have)
		}
	}
	k.nft.AddTable(table())
	k.nft.AddChain(&nftables.Chain{Name: "there", Table: table()})
	must(t, k.nft.Flush())
	have, err := k.chains()
	must(t, err)
	if have["there"] == nil {
		t.Errorf("%v", have)
	}
}
