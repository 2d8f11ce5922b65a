package fleettest

// An Event is one operation of a historian on a key, as it saw it. Historians
// write one JSON object a line.
type Event struct {
	Key   string `json:"key"` // of one historian, which alone writes it: see KeyOf
	Op    string `json:"op"`
	Begin int64  `json:"begin"` // Unix time in nanoseconds
	End   int64  `json:"end"`

	// Version is what was written: a writer numbers its operations on a key from
	// 1 on, deletes included. Of a read it is what was found, 0 for nothing.
	Version int64 `json:"version,omitempty"`

	TTL   int64  `json:"ttl,omitempty"`   // milliseconds: that was set, or is left
	Error string `json:"error,omitempty"` // of one that was cut off: "under way"
}

// Operations of events.
const (
	OpSet    = "set"
	OpDelete = "delete"
	OpCount  = "count" // an increment; Version is the number that the server returned
	OpGet    = "get"
	OpTTL    = "ttl" // how long is left; of what is not there TTL is 0
)
