//go:build !unix

package memcache

import "net"

// A rawSocket stands for a socket that can only be used by waiting for it.
type rawSocket struct{}

func (*rawSocket) init(net.Conn) {}

func (*rawSocket) try([]byte) (n int, err error) { return 0, nil }

func (*rawSocket) quiet() bool { return true }
