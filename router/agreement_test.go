package router

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// told is a source whose views a test writes as they are.
type told struct {
	views chan membership.View
	last  membership.View
}

func (s *told) Next(ctx context.Context, after uint64) (membership.View, error) {
	if s.last.Version > after {
		return s.last, nil
	}
	select {
	case s.last = <-s.views:
		return s.last, nil
	case <-ctx.Done():
		return membership.View{}, ctx.Err()
	}
}

func (s *told) Close() error { return nil }

// TestDisagreement: it is told once, and with FailClosed nothing is routed until
// it is over. The clients of the nodes stay meanwhile.
func TestDisagreement(t *testing.T) {
	members := []membership.Member{{ID: "a", Kind: membership.Redis, Address: "127.0.0.1:1", State: membership.Active, Weight: 1}}
	right, err := ring.FingerprintOf([]ring.Node{{ID: "a", Weight: 1}}, ring.Config{Hasher: ring.Hasher{HashTags: true}})
	if err != nil {
		t.Fatal(err)
	}
	view := func(version uint64, print ring.Fingerprint, disagree ...string) membership.View {
		return membership.View{Version: version, Epoch: version, Members: members, Disagree: disagree,
			Fingerprints: map[membership.Kind]ring.Fingerprint{membership.Redis: print}}
	}
	for _, failClosed := range []bool{false, true} {
		source := &told{views: make(chan membership.View)}
		source.last = view(1, right)
		var mu sync.Mutex
		var reports []string
		r, err := NewRedis(t.Context(), Config{Source: source, FailClosed: failClosed, OnError: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			reports = append(reports, err.Error())
		}})
		if err != nil {
			t.Fatal(err)
		}
		client := r.fleet.current.Load().nodes[0]
		show := func(v membership.View) error {
			seen := r.fleet.current.Load()
			source.views <- v
			<-seen.superseded
			return r.Get(t.Context(), "key").Err()
		}
		expect := func(what string, err error, refused bool) {
			t.Helper()
			var disagreement *DisagreementError
			if errors.As(err, &disagreement) != (refused && failClosed) || err == nil {
				t.Errorf("fail closed %v, %s: %v", failClosed, what, err)
			}
		}
		expect("agreed", r.Get(t.Context(), "key").Err(), false)
		expect("members disagree", show(view(2, right, "b", "c")), true)
		expect("they still do", show(view(3, right, "b", "c")), true)
		expect("the fleet computes another ring", show(view(4, ring.Fingerprint{1})), true)
		expect("agreed again", show(view(5, right)), false)
		if r.fleet.current.Load().nodes[0] != client {
			t.Error("the client of a node that stayed was replaced")
		}
		mu.Lock()
		if len(reports) != 2 || !strings.Contains(reports[0], "used by b, c") || !strings.Contains(reports[1], "computes ring "+right.Short()) {
			t.Errorf("told: %q", reports)
		}
		mu.Unlock()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
