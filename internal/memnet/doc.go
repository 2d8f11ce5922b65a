// Package memnet is a network in memory, for many members of gossip in one
// process and in virtual time.
//
// It carries what hashicorp/memberlist sends: packets, which arrive late, out of
// order or not at all, and streams, which arrive late but whole. It can be
// partitioned, cut one way, made lossy or slow, and a host on it can crash.
//
//	network, err := memnet.New(memnet.Config{Seed: 1, Delay: time.Millisecond})
//	transport, err := network.Listen(netip.MustParseAddrPort("10.0.0.1:7946"))
//	list, err := memberlist.Create(transport.Configure("a", memberlist.DefaultLANConfig()))
//	...
//	network.Partition(left, right)
//	network.Heal()
//	network.Crash(addr)
//
// # Virtual time
//
// It is made for testing/synctest: everything that waits in it waits durably,
// so that the clock of the bubble runs on. New and Listen must be called in the
// bubble. Outside of bubbles it works in real time.
//
// The network owns no goroutine. All that is under way is in one heap, and one
// timer is set to the earliest arrival; what is due at one moment is delivered
// by one call, the oldest first. (A timer for each packet takes as much time,
// and delivers in the order of the scheduler.) A test ends clean when its
// memberlists have: after memberlist.Shutdown their probes and streams run into
// their own timeouts, so let Linger pass before the bubble's function returns.
//
// # What a seed determines
//
// Loss and jitter of the n-th packet that a host sends are a function of the
// seed, the host's address and n, whatever other hosts do meanwhile. Which
// packet is the n-th is up to the scheduler and to memberlist, which draws from
// the global generator of math/rand: two runs with one seed are alike, not
// equal.
//
// # How it resembles a real network
//
// Packets are UDP's: the sender never waits and never learns of a loss; a
// receiver that does not keep up loses what exceeds its queue. Streams are
// TCP's: lost segments come later, bytes that cannot get through are sent again
// at growing intervals and arrive after Heal, a full window blocks the writer,
// a port without listener refuses, a host that cannot be reached does not
// answer at all. There is no bandwidth: a megabyte takes as long as a byte,
// round trips for the window aside.
package memnet
