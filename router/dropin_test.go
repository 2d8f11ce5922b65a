package router

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
)

// gave is what a call gave: a value and the text of an error.
type gave struct {
	Value any
	Err   string
}

func of[T any](v T, err error) gave {
	if err != nil {
		return gave{v, err.Error()}
	}
	return gave{Value: v}
}

// unordered is of for lists whose order the server does not promise.
func unordered(list []string, err error) gave {
	list = slices.Clone(list)
	slices.Sort(list)
	return of(list, err)
}

// A step is one call. Steps build on each other: a table is run from top to
// bottom on each client. They follow the example programs of go-redis by
// subject, and take what they need on one node by a hash tag.
type step struct {
	name string
	call func(ctx context.Context, c redis.UniversalClient) gave
}

// TestDropIn runs the same calls through a router over four servers, and through
// a plain client of one: nobody can tell the difference.
func TestDropIn(t *testing.T) {
	source, servers := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	single := direct(t, servertest.Redis(t))
	ctx := t.Context()
	calls := 0
	for _, steps := range [][]step{
		stringSteps, expirySteps, hashSteps, listSteps, setSteps, sortedSetSteps, streamSteps,
		geoSteps, bitSteps, keySteps, scriptSteps, pipelineSteps, pubSubSteps, fleetSteps,
	} {
		for _, s := range steps {
			if s.name == "FLUSHDB" {
				checkKeysAreAtTheirOwners(t, r, servers)
			}
			want, got := s.call(ctx, single), s.call(ctx, r)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\na client:   %+v\nthe router: %+v", s.name, want, got)
			}
			calls++
		}
	}
	if calls < 150 {
		t.Errorf("%d calls", calls)
	}
}

// checkKeysAreAtTheirOwners asks the servers themselves, so that the calls of
// TestDropIn are known to have been spread.
func checkKeysAreAtTheirOwners(t *testing.T, r *Redis, servers []*servertest.Server) {
	t.Helper()
	for i, s := range servers {
		keys, err := direct(t, s).Keys(t.Context(), "*").Result()
		if err != nil || len(keys) < 5 {
			t.Errorf("node%d has %d keys, %v", i, len(keys), err)
		}
		for _, key := range keys {
			if owner := r.NodeFor(key); owner != fmt.Sprint("node", i) {
				t.Errorf("%q is on node%d, its owner is %s", key, i, owner)
			}
		}
	}
}
