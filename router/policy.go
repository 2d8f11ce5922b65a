package router

import (
	"fmt"
	"time"

	"github.com/ringway/ringway/ring"
)

// FailurePolicy says what happens to an operation whose node cannot be reached,
// or does not answer in time. None of them moves the key: the next operation
// asks its owner again. Under each of them the commands that concern all nodes
// (KEYS, DBSIZE, FlushAll …), transactions, blocking commands and PUBLISH fail
// fast.
type FailurePolicy uint8

const (
	// FailFast returns a *NodeError. The default.
	FailFast FailurePolicy = iota

	// Miss answers reads as if the key were absent, which suits a cache:
	// redis.Nil for any command that reads one key, nil for each such key of an
	// MGET, and EXISTS does not count it; ErrCacheMiss with memcached. Writes
	// fail fast.
	Miss

	// Successor sends the operation to the next node on the ring, whose copy
	// lives for FailureConfig.GutterTTL at most. It suits a cache too, and only
	// a cache:
	//
	//   - What the owner held is not there: reads miss, counters begin anew, and
	//     a lock may be given twice. When the owner is back, it has what it had
	//     before, and not what was written in the meantime.
	//   - A write that depends on the old value moves only if nothing of it
	//     reached the owner, so that it is never done twice; else it fails. A
	//     plain SET moves in any case.
	//   - A delete is done on the successor and fails all the same, with the
	//     owner's *NodeError, for the owner may come back with the value. With
	//     memcached see Memcached.Delete.
	//
	// It needs a placement that has successors: *ring.Ring. Servers before
	// Redis 7.0, which cannot cut a life short in one step, refuse the writes.
	Successor
)

// FailureConfig chooses a FailurePolicy.
type FailureConfig struct {
	Policy FailurePolicy // 0 means FailFast

	// GutterTTL limits the life of what Successor writes, so that it does not
	// outlast the failure; 0 means 10 s. At least 1 ms.
	GutterTTL time.Duration
}

func (c FailureConfig) validate() error {
	if c.Policy > Successor {
		return fmt.Errorf("router: config Failure.Policy: got %d, want FailFast, Miss or Successor", c.Policy)
	}
	if c.GutterTTL != 0 && c.GutterTTL < time.Millisecond {
		return fmt.Errorf("router: config Failure.GutterTTL: got %v, want 0 or 1ms and more", c.GutterTTL)
	}
	return nil
}

// ReplicationConfig keeps each Redis key on several nodes: its owner and the nodes
// after it on the ring, in distinct zones where zones are given (see
// ring.Ring.Replicas). The zero value keeps one copy.
//
// # What is promised
//
// A write that returns no error was done by each of the Factor nodes, or with
// Quorum by a majority of them. A write that returns an error may have been
// done by any of them: the error is a *MultiError that says which failed, and
// the copies may differ until the key is overwritten or deleted. Nothing
// repairs them. If the fleet has too few nodes, writes fail with ErrTooFewNodes
// before anything is sent.
//
// A read is answered by one node: the first of the key's nodes that can be
// reached, those of the router's own Zone before the others. It does not look
// at other copies, so that after a write with Quorum, or one that failed, it
// may see an older value; and a node that lost its data answers as if the key
// were absent.
//
// There is no order between writers: of two that write one key at the same
// time, each may win on some nodes. Each copy applies commands like INCR and
// HSET to what it has. Replication of this kind suits caches and values that
// one writer overwrites; it is no consensus.
//
// # What is refused
//
// With an *UnsupportedError, before anything is sent: transactions and WATCH;
// scripts and functions that may write, SPOP, XADD with an ID of the server's
// choice, consumer groups, blocking commands that write, SETNX and SET … NX; in
// a pipeline, commands whose keys have different nodes. SCAN and DBSIZE see
// every copy. Successor cannot be combined with it.
type ReplicationConfig struct {
	Factor int    // copies of each key; 0 means 1
	Quorum bool   // a majority of the copies suffices for a write
	Zone   string // of this router; read from it where it has a copy
}

func (c ReplicationConfig) validate(failure FailureConfig) error {
	if c.Factor < 0 {
		return fmt.Errorf("router: config Replication.Factor: got %d, want 0 or more", c.Factor)
	}
	if c.Factor > 1 && failure.Policy == Successor {
		return fmt.Errorf("router: config Failure.Policy: got Successor with a Replication.Factor of %d, want FailFast or Miss: the next node has a copy already", c.Factor)
	}
	return nil
}

// check refuses a placement that the policies cannot work with.
func (c Config) check(p ring.Placement) error {
	if c.Failure.Policy == Successor {
		return needsSuccessors(p)
	}
	if c.Replication.Factor > 1 {
		return needsReplicas(p)
	}
	return nil
}
