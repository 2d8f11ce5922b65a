// Package demo is `ringway demo`: the whole mission on one machine. It starts a
// fleet of real processes (a data server and an agent a node), puts one sharded
// client under load, lets a node join, drains one, kills one, and checks what was
// promised of each of these with an oracle that knows what every key must be.
//
// # The parts
//
// A fleet (fleet.go, node.go) starts and ends processes. The data servers are
// redis-server or memcached where they are installed, and otherwise embedded ones
// (embedded.go), each in a process of its own so that it can be killed. The agents
// are this program.
//
// The load (load.go) replays the bundled trace at a fixed rate: it reads each key
// from the cache, and on a miss loads it from a stand-in of a database
// (database.go) and stores it. An oracle (oracle.go) keeps what was stored last
// under each key. It holds a key for as long as a request for it goes on, so that
// there is never a doubt what a read should have found.
//
// Beside it runs a shadow (shadow.go): the same requests through a fleet that
// places by modulo, in memory. What is said of modulo is computed by it, never
// measured.
//
// The script (script.go) makes the changes and after each looks at every key
// (verify.go) and at every server (moved.go). The promises (promises.go) are
// judged by what came of that. The report is printed as lines while it goes on
// (terminal.go), as a table, as JSON, and as an HTML page (page.go) that needs
// nothing from elsewhere.
//
// # What is left behind
//
// Nothing, but the page: all processes are children that end with this one, on
// Linux also if it is killed, and their files are in a temporary folder that is
// removed. (A demo that was killed with SIGKILL leaves that folder.)
package demo
