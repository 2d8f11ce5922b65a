// Package servertest gives tests real redis-server and memcached processes, one
// line each:
//
//	server := servertest.Redis(t)
//	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
//
// A server listens on a free loopback port, keeps its data in a temporary
// folder, and is ended when the test ends, however it ends. If the test failed,
// the server's log is shown. Package servers does the work.
//
// Where a program is not installed, the test is skipped with a message; with
// RINGWAY_REQUIRE_SERVERS=1 in the environment it fails instead. `make test`
// installs the programs and sets that, so that nothing is skipped there
// unseen.
package servertest
