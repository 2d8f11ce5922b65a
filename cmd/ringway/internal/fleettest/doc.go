// Package fleettest proves the fleet with real processes: redis-server and
// memcached, an agent (the program ringway) beside each, and routers (the program
// in folder router, with the library as everybody has it). They meet on loopback;
// then agents and servers are killed, stopped and started again, and strangers
// try to get in. After each fault the tests look at what `ringway members` says
// and at every router: which ring it has, where it sends keys, and whether it was
// ever served a value that had been replaced.
//
// What is in this package outside of its tests is what tests and programs have in
// common: [Finder], [Status], and the histories with what they are held to, [Check].
package fleettest
