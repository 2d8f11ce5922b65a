package memnet

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The hosts of the smaller tests.
var (
	hostA = netip.MustParseAddrPort("10.0.0.1:7946")
	hostB = netip.MustParseAddrPort("10.0.0.2:7946")
	hostC = netip.MustParseAddrPort("[fd00::3]:7946")
)

// bubble runs a subtest in virtual time.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func newNetwork(t *testing.T, c Config) *Network {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func listen(t *testing.T, n *Network, addr netip.AddrPort) *Transport {
	t.Helper()
	transport, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}
