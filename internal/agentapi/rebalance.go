package agentapi

import (
	"fmt"
	"io"
	"time"

	"github.com/ringway/ringway/membership"
)

// Where an agent answers for its mover.
const (
	RebalancePath   = "/v1/rebalance"
	RebalanceSchema = "ringway.rebalance/1"
)

// Rebalance is what GET /v1/rebalance answers: how far the node's own mover is. It
// knows of no other: ask each agent, see MemberStatus.HTTP.
type Rebalance struct {
	Schema string          `json:"schema"` // RebalanceSchema
	ID     string          `json:"id"`     // of the node: an address may lead to another agent than was meant
	Kind   membership.Kind `json:"kind"`

	NodeState membership.State `json:"node_state"`
	Waits     string           `json:"waits"` // what the node waits for, in a few words; empty: for nothing

	// Transition under way among the nodes of the kind, 0 without one. Rollback
	// says that it goes back to the ring before it.
	Transition uint64 `json:"transition"`
	Phase      string `json:"phase"` // "stable", "announced" or "importing"
	Rollback   bool   `json:"rollback"`

	// State is "idle", "moving", "paused" or "waiting"; "none" of an agent without
	// a mover, the rest of whose fields are zero.
	State  string `json:"state"`
	Paused bool   `json:"paused"` // keys will not move until that is undone, now or later

	// HandedOver says that the node is leaving or has left, and that all it had to
	// hand over for that is with its new owners.
	HandedOver bool `json:"handed_over"`

	// What follows is of the hand-over under way, or of the last one.
	Pass        int   `json:"pass"`
	KeysMoved   int64 `json:"keys_moved"`
	BytesMoved  int64 `json:"bytes_moved"`
	KeysLeft    int64 `json:"keys_left"` // estimated; -1: not known
	KeysWaiting int64 `json:"keys_waiting"`

	KeysPerSecond  float64 `json:"keys_per_second"` // of the last seconds
	BytesPerSecond float64 `json:"bytes_per_second"`
	SecondsLeft    float64 `json:"seconds_left"` // at that pace; -1: not known
	Pace           float64 `json:"pace"`         // 1, or less while a server is slow

	Limits    MoveLimits     `json:"limits"`
	BigKeys   []BigKey       `json:"big_keys"` // under way
	Receivers []MoveReceiver `json:"receivers"`

	Began   time.Time `json:"began,omitzero"`
	Ended   time.Time `json:"ended,omitzero"` // zero: it goes on
	Error   string    `json:"error"`          // the last one; empty: none
	ErrorAt time.Time `json:"error_at,omitzero"`
}

// MoveLimits are how fast keys may move; 0: no limit.
type MoveLimits struct {
	KeysPerSecond  int   `json:"keys_per_second"`
	BytesPerSecond int64 `json:"bytes_per_second"`
}

// BigKey is a key that is moved singly.
type BigKey struct {
	Key      string `json:"key"`
	Type     string `json:"type"`
	Bytes    int64  `json:"bytes"`
	Elements int64  `json:"elements"`
	Sent     int64  `json:"sent"`
	InParts  bool   `json:"in_parts"`
}

// MoveReceiver is what went to one node.
type MoveReceiver struct {
	ID      string `json:"id"`
	Keys    int64  `json:"keys"`
	Bytes   int64  `json:"bytes"`
	Waiting string `json:"waiting"` // why nothing goes to it at present; empty: something does
}

// RebalanceOrder is what POST /v1/rebalance takes. What is not given stays as it
// is.
type RebalanceOrder struct {
	// ID of the node that is meant. Another agent refuses the order: what one
	// agent tells of another's address may lead elsewhere from here.
	ID string `json:"id,omitempty"`

	Pause          *bool  `json:"pause,omitempty"`
	KeysPerSecond  *int   `json:"keys_per_second,omitempty"`
	BytesPerSecond *int64 `json:"bytes_per_second,omitempty"`

	// Abort rolls the transition under way back, for the whole fleet: one agent
	// is to be told.
	Abort bool `json:"abort,omitempty"`
}

// LeavePath is where an agent is told that its node is to leave; the body is a
// LeaveOrder, or nothing.
const LeavePath = "/v1/leave"

// LeaveOrder has the ID of the node that is meant: see RebalanceOrder.
type LeaveOrder struct {
	ID string `json:"id,omitempty"`
}

// WeightPath is where an agent is told another weight of its node; the body is a
// WeightOrder.
const WeightPath = "/v1/weight"

// WeightOrder has the ID of the node that is meant (see RebalanceOrder), or none: the
// agent's own. There is no order for the weight of another agent's node.
type WeightOrder struct {
	ID     string   `json:"id,omitempty"`
	Weight *float64 `json:"weight"` // above 0; required
}

// Check refuses an order that says nothing, or what cannot be.
func (o RebalanceOrder) Check() error {
	switch {
	case o.Pause == nil && o.KeysPerSecond == nil && o.BytesPerSecond == nil && !o.Abort:
		return fmt.Errorf("order: got nothing to do, want one of pause, keys_per_second, bytes_per_second, abort")
	case o.KeysPerSecond != nil && *o.KeysPerSecond < 0:
		return fmt.Errorf("keys_per_second: got %d, want a number of keys, or 0 for no limit", *o.KeysPerSecond)
	case o.BytesPerSecond != nil && *o.BytesPerSecond < 0:
		return fmt.Errorf("bytes_per_second: got %d, want a number of bytes, or 0 for no limit", *o.BytesPerSecond)
	}
	return nil
}

// ReadRebalance reads an answer to RebalancePath, and checks it: see ReadRing.
func ReadRebalance(body io.Reader) (Rebalance, error) {
	var r Rebalance
	err := read(body, &r, RebalanceSchema)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Rebalance{}, fmt.Errorf("agentapi: rebalance: %w", err)
	}
	return r, nil
}

func (r Rebalance) check() error {
	wrong := func(field string, got any, want string) error {
		return fmt.Errorf("%s: got %v, want %s", field, got, want)
	}
	switch {
	case r.ID == "" || len(r.ID) > maxNameLength:
		return wrong("id", shown(r.ID), "1 to 512 bytes")
	case len(r.Kind) > shownBytes || len(r.NodeState) > shownBytes || len(r.State) > shownBytes || len(r.Phase) > shownBytes:
		return wrong("kind, node_state, state or phase", "a long text", "a word")
	case r.Transition > MaxEpoch:
		return wrong("transition", r.Transition, "at most 2^52 - 1")
	case r.Pass < 0 || r.KeysMoved < 0 || r.BytesMoved < 0 || r.KeysWaiting < 0 || r.KeysLeft < -1:
		return wrong("counts", "one below 0", "0 or more")
	case r.KeysPerSecond < 0 || r.BytesPerSecond < 0 || r.SecondsLeft < -1:
		return wrong("rates", "one below 0", "0 or more")
	case len(r.BigKeys) > MaxMembers || len(r.Receivers) > MaxMembers:
		return wrong("big_keys and receivers", max(len(r.BigKeys), len(r.Receivers)), "at most 100000")
	}
	return nil
}
