// Package faultproxy is a TCP proxy for tests that can do to a connection what a
// bad network does: delay it, reset it, leave it half open, or cut it in the
// middle of a reply.
//
//	proxy := faultproxy.New(t, server.Addr())
//	... dial proxy.Addr() ...
//	proxy.Delay(20 * time.Millisecond) // each packet, both ways
//	proxy.Hang()                       // connections stay open, nothing passes
//	proxy.Reset()                      // those there are get a RST
//	proxy.CutReplies(100)              // each connection ends after 100 more bytes
//	proxy.CutOneReply(2)               // only the first that gets so far
//	proxy.Heal()                       // as it was; hung connections go on
//
// It is for loopback and a handful of connections: a packet is what one read
// returns, and a delayed one holds up those behind it.
package faultproxy
