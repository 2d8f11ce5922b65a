package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// board holds the newest answer to GET /v1/ring: made once a view, however many
// ask. It is safe for concurrent use.
type board struct {
	cluster   string // the fleet's name
	placement ring.Config
	described agentapi.Placement

	mu      sync.Mutex
	now     *posting      // nil before the first view
	changed chan struct{} // closed when now is replaced
}

// posting is one answer. It never changes.
type posting struct {
	epoch uint64
	view  membership.View
	ring  agentapi.Ring
	body  []byte // JSON
	etag  string // the start of a hash of body

	shares func() map[string]float64 // by ID, of those that own something
}

func newBoard(placement ring.Config) (*board, error) {
	described, err := agentapi.PlacementOf(placement)
	if err != nil {
		return nil, err
	}
	return &board{placement: placement, described: described, changed: make(chan struct{})}, nil
}

// post replaces the answer, unless nothing of it has changed.
func (b *board) post(v membership.View) error {
	r, err := agentapi.RingOf(v, b.described)
	if err != nil {
		return err
	}
	r.Cluster = b.cluster
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	p := &posting{epoch: v.Epoch, view: v, ring: r, body: append(body, '\n'), etag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	p.shares = sync.OnceValue(func() map[string]float64 { return shares(v, b.placement) })

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now != nil && b.now.etag == p.etag {
		return nil
	}
	b.now = p
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// read returns the newest answer, nil if there is none yet, and a channel that
// is closed when there is a newer one.
func (b *board) read() (*posting, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now, b.changed
}

// shares returns what part of the hash space each node owns.
func shares(v membership.View, cfg ring.Config) map[string]float64 {
	all := make(map[string]float64)
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		r, err := ring.New(v.Current(kind), cfg)
		if err != nil {
			continue // no node owns anything
		}
		for i, share := range r.Shares() {
			all[r.Nodes()[i].ID] = share
		}
	}
	return all
}
