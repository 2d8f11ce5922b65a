package proctest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the ports that addresses were made of.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// Address returns one of loopback that nobody listens on, UDP or TCP, another one
// each time. It is below the range from which systems draw the ports of outgoing
// connections, so that nobody takes it by chance before it is used, or while a
// process that had it is started again; and below the ports of package servers.
func Address(t testing.TB) string {
	t.Helper()
	const first, end = 12000, 20000
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = make(map[int]bool)
	}
	for range 1000 {
		port := first + rand.IntN(end-first)
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if !given.ports[port] && free(at) {
			given.ports[port] = true
			return at
		}
	}
	t.Fatalf("no free port from %d to %d", first, end-1)
	return ""
}

func free(at string) bool {
	tcp, err := net.Listen("tcp", at)
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", at)
	if err != nil {
		return false
	}
	udp.Close()
	return true
}
