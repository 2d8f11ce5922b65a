// Package contest is what the commands that measure ringway beside other clients
// over real servers have in common: servers, rounds in which every contender runs
// once, and the page that comes of it.
//
// Each round runs every contender, one after the other; a ratio is taken within a
// round, and what is printed is the median over the rounds. They are many and short:
// a lone goroutine and the server that it waits for are now on one processor and now
// on two, by the system's whim, which made a GET take 11 or 50 µs for tenths of a
// second.
//
// Clients, servers and whatever else the machine does share its processors: what a
// client saves on work or system calls is there for the servers. That is how a
// service and its cache share a machine in a test, not how they do in production,
// where the network is slower and the servers have processors of their own; the
// ratios say how much a client costs, and no more.
package contest
