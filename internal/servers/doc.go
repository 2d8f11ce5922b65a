// Package servers runs real redis-server and memcached processes on loopback,
// for tests, demonstrations and benchmarks. It imports nothing of testing:
// package servertest is the wrapper for tests.
//
// [Start] chooses a free port, gives the process a folder of its caller, waits
// until it answers, and returns a [Server] that can be killed, stopped in its
// tracks, let go on, restarted on the same port and closed. Nothing is left
// behind: a Server that is not closed ends with the program that started it,
// on Linux even if that program is killed.
//
// # Ports
//
// Ports are taken below the range from which systems draw the local ports of
// outgoing connections. In that range a client that dials a server which was
// killed can be given the server's port for its own end and connect to itself;
// and while it does, the server cannot come back.
//
// A port belongs to a Server until it is closed, also while its process is
// down: programs that use this package agree on that by holding the UDP port
// of the same number, which no server started here uses and which the system
// frees when its holder dies.
//
// # Ready
//
// A server counts as ready when its own output says so and it answers on its
// port. An answer alone could come from a stranger that was quicker to take
// the port.
package servers
