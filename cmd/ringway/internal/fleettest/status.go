package fleettest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// StatusPath is where a router answers with its Status, in JSON.
const StatusPath = "/status"

// Status is how a router does.
type Status struct {
	// Of its view of the fleet: see membership.View.
	Epoch        uint64
	Fingerprints map[string]string // by kind of node: of the current ring
	Disagree     []string

	Redis, Memcached Load

	Ignored    map[string]uint64 // see gossip.Stats; nil for an observer
	Complaints []string          // what it could tell nobody, the first ones
}

// Load is what came of reading and writing keys of the router's own. Each key has
// one writer, who writes growing numbers.
type Load struct {
	Epoch  uint64 // of the ring that is used
	Routes string // RoutesOf it

	Reads, Misses, Writes uint64 // that did not fail

	// Stale counts reads of a number below one whose write was acknowledged. A
	// write that failed may take effect at any time afterwards, so that such a
	// number is never stale.
	Stale      uint64
	FirstStale string // what the first such read was; empty: there was none

	// By node: operations that failed in time, and those that took too long or were
	// not sent because others had failed.
	Failures, Timeouts map[string]uint64

	Strange []string // errors that are of no node, and replies that nobody wrote; the first ones
}

// RoutesOf is a short name for where a ring sends keys: a hash over the owners of
// some hundreds of them.
func RoutesOf(owner func(key string) string) string {
	const keys = 512
	h := sha256.New()
	for i := range keys {
		key := fmt.Sprint("key:", i)
		fmt.Fprintf(h, "%s %s\n", key, owner(key))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
