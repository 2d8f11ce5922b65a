package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that servers are given: below the ranges from which Linux (32768 on)
// and macOS (49152 on) draw local ports, above what is well known.
const (
	firstPort = 20000
	endPort   = 32000
)

// errPortTaken says that somebody else took the port that was chosen.
var errPortTaken = errors.New("port taken")

// reservePort returns a TCP port of 127.0.0.1 that nobody listens on, and the
// UDP port of the same number, by which other users of this package see that it
// is taken.
func reservePort() (int, *net.UDPConn, error) {
	const span = endPort - firstPort
	offset := rand.IntN(span)
	for i := range span {
		port := firstPort + (offset+i)%span
		if lock, free := lockPort(port); free {
			return port, lock, nil
		}
	}
	return 0, nil, fmt.Errorf("servers: no free port from %d to %d", firstPort, endPort-1)
}

func lockPort(port int) (*net.UDPConn, bool) {
	lock, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return nil, false
	}
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		lock.Close()
		return nil, false
	}
	l.Close()
	return lock, true
}
