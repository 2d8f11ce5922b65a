package memcache

import "time"

// Item is a value with what the server keeps beside it.
type Item struct {
	// Key is 1 to MaxKey bytes without spaces and control characters, DEL
	// included. Bytes from 0x80 on are allowed. See Config.EncodeKeys for
	// others.
	Key string

	// Value is at most Config.MaxValueSize bytes. Operations that store copy it
	// before they return; one that an operation returns is the caller's own.
	Value []byte

	// Flags are for the application; the server does not look at them.
	Flags uint32

	// TTL is the time to live. 0: for ever, as far as the server's memory
	// goes. Negative: expired at once. The server counts in whole seconds of a
	// clock that ticks once a second, so that an item can end a second early:
	// what is not a whole second is rounded up, and nothing above 0 becomes 0.
	//
	// Beyond 30 days the protocol knows points in time only: such a TTL is
	// added to the clock of this machine, and ends as much early or late as
	// that differs from the server's. What would end after 2038-01-19 03:14:07
	// UTC, the last second that the server can hold, ends then.
	//
	// It is not filled by operations that return an Item: see ReturnTTL.
	TTL time.Duration

	// CAS tells this version of the item from every other one. It is filled by
	// operations that return an Item, and read by CompareAndSwap.
	CAS uint64
}
