package rebalance

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// Server says how to reach a data server: its URL, credentials, TLS, database and
// the prefix of the keys that may be touched.
type Server = dataserver.Config

// Config says which node a Mover works for. Self and Source are required.
type Config struct {
	// Self is the ID of the source node, whose keys are moved.
	Self string

	// Placement is that of the fleet: current and next ring are built with it.
	Placement ring.Config

	// Copies is how many nodes hold each key, as in the clients' replication; 0
	// means 1.
	Copies int

	// Source is the node's own server. Only keys of its database that begin with
	// its Prefix are moved. Its Rate is not used: see Limits.
	Source Server

	// Receiver says how to reach another node. nil: as Source, credentials, TLS
	// and database included, at the address that the node has in the view. The
	// Prefix of what it returns must be that of Source, for the fence.
	Receiver func(m membership.Member) (Server, error)

	// Trust is asked, before each pass, whether what the source's server holds is true:
	// one that was restarted may have come back with what had been deleted, or written
	// anew, since it last wrote to its disk. process names the one that serves now; an
	// error keeps its keys there, and it is asked again. nil: all are trusted. Whatever
	// Trust says, a batch does not move if the process is another one than at the
	// beginning of its pass (with Redis; a memcached that is restarted is empty).
	Trust func(ctx context.Context, process string) error

	// Limits can be changed later: see Mover.SetLimits.
	Limits Limits

	Logger *slog.Logger // nil means slog.Default()
}

// What a zero field of Limits stands for.
const (
	DefaultBigKeyBytes    = 1 << 20 // bytes of memory
	DefaultBigKeyElements = 10_000
	minLatencyLimit       = 20 * time.Millisecond
)

// Limits say how fast keys move. The zero value is as fast as the servers allow,
// with a pause when they become slow.
type Limits struct {
	Keys  int   `json:"keys_per_second"`  // a second; 0: no limit
	Bytes int64 `json:"bytes_per_second"` // a second, of values as they are sent; 0: no limit

	// A key that takes more memory or has more elements is big: it is moved
	// singly, and in parts where its type allows that. 0 means
	// DefaultBigKeyBytes and DefaultBigKeyElements.
	BigKeyBytes    int64 `json:"big_key_bytes"`
	BigKeyElements int64 `json:"big_key_elements"`

	// Latency is how long a PING of a server that takes part may take before the
	// mover goes at half its pace. 0: three times what it takes otherwise, and 20
	// ms at least.
	Latency time.Duration `json:"latency_limit_ns"`
}

// State is what a Mover is doing.
type State string

const (
	Idle    State = "idle"    // nothing to hand over
	Moving  State = "moving"  // keys move
	Paused  State = "paused"  // by Pause
	Waiting State = "waiting" // for a server, or a receiver without room: see Progress.Error
)

// Progress is how far a Mover is. Numbers are of the hand-over under way, or of
// the last one.
type Progress struct {
	Transition uint64 `json:"transition"` // 0: none yet
	State      State  `json:"state"`
	Pass       int    `json:"pass"` // over all keys of the server, from 1 on

	// KeysMoved are where they belong now: this mover has brought them there, or
	// removed here what a client had brought there. BytesMoved are those of the
	// values, as they were sent.
	KeysMoved  int64 `json:"keys_moved"`
	BytesMoved int64 `json:"bytes_moved"`

	// KeysLeft is estimated from how much of the pass is over; -1: not known yet.
	KeysLeft int64 `json:"keys_left"`
	// KeysWaiting could not be moved so far in this pass, and are tried again in
	// the next one.
	KeysWaiting int64 `json:"keys_waiting"`

	KeysPerSecond  float64       `json:"keys_per_second"` // of the last seconds
	BytesPerSecond float64       `json:"bytes_per_second"`
	TimeLeft       time.Duration `json:"time_left_ns"` // at that pace; -1: not known
	Pace           float64       `json:"pace"`         // 1, or less while a server is slow

	BigKeysMoved int64    `json:"big_keys_moved"`
	BigKeys      []BigKey `json:"big_keys,omitempty"` // under way

	Receivers []ReceiverProgress `json:"receivers,omitempty"` // by ID

	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"` // zero: it goes on

	Error   string    `json:"error,omitempty"` // the last one
	ErrorAt time.Time `json:"error_at,omitzero"`
}

// ReceiverProgress is what went to one node.
type ReceiverProgress struct {
	ID      string `json:"id"`
	Keys    int64  `json:"keys"`
	Bytes   int64  `json:"bytes"`
	Waiting string `json:"waiting,omitempty"` // why nothing goes to it at present
}

// BigKey is a key that is moved singly.
type BigKey struct {
	Key      string `json:"key"`
	Type     string `json:"type"` // of Redis: "hash"; "item" for Memcached
	Bytes    int64  `json:"bytes"`
	Elements int64  `json:"elements"` // 0: it has none
	Sent     int64  `json:"sent"`     // elements, or bytes of a string
	InParts  bool   `json:"in_parts"`
}

var (
	// ErrInvalidConfig: New refused its Config.
	ErrInvalidConfig = errors.New("rebalance: config")

	// ErrNoTransition: the view given to HandOver is not in that transition, or
	// does not have the node.
	ErrNoTransition = errors.New("rebalance: no such transition")

	// ErrBusy: a HandOver is under way.
	ErrBusy = errors.New("rebalance: a hand-over is under way")

	// ErrClosed: the Mover was closed.
	ErrClosed = errors.New("rebalance: mover closed")
)
