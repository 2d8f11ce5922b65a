package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/membership"
)

// A rush is many callers in three clients who want a key that is not there, while the
// views of the clients go from one state to another: that of the client which loads
// before the others', or after them.
type rush struct {
	from, to int // of joining
	first    bool
}

// While the views are the same there is one load. Redis keeps the lease when its key
// moves. A lease of Memcached ends there, and clients of which one is ahead may end each
// other's; even then no client loads more often than it would for invalidations. Nobody
// waits for a lease to run out, and afterwards everybody finds what was stored.
func TestStampedeAcrossResize(t *testing.T) {
	eachFleet(t, func(t *testing.T, f *resize) {
		var all []rush
		for from := range joining {
			for to := from; to < len(joining); to++ {
				all = append(all, rush{from, to, true}, rush{from, to, false})
			}
		}
		keys, move := f.moving(len(all)), f.mover(0, 2)
		loads, waited := make(map[int]int), 0
		for i, r := range all {
			n, took := f.rush(r, keys[i], move)
			if took > rushLease/2 {
				t.Errorf("%+v: somebody waited for the end of a lease: %v", r, took)
				waited++
			}
			if loads[n]++; n > 3*attempts || r.from == r.to && n > 1 {
				t.Errorf("%+v: %d loads", r, n)
			}
		}
		t.Logf("rushes by their loads: %v", loads)
		proofs.Record(t, proofs.Row{Proof: "stampede across a resize", Got: fmt.Sprintf("%d rushes; how many had so many loads (loads:rushes): %v; that waited for the end of a lease: %d", len(all), loads, waited)})
	})
}

// rushLease is longer than anything else takes here.
const rushLease = 30 * time.Second

// rush returns how many loads there were, and how long it took until all callers had
// the value once the first load could end.
func (f *resize) rush(r rush, key userKey, move func(string) error) (made int, took time.Duration) {
	t := f.t
	var clients []*resizeClient
	var spaces []*Space[userKey, user]
	var loads atomic.Int64
	loading, proceed := make(chan int, 1), make(chan struct{})
	for i := range 3 {
		c := f.client(joining[r.from])
		s := newUsers(t, newManager(t, c), func(cfg *SpaceConfig[userKey, user]) {
			cfg.Loads = LoadsConfig{Timeout: rushLease, Lease: rushLease}
			cfg.Load = func(context.Context, userKey) (Loaded[user], error) {
				if loads.Add(1) == 1 {
					loading <- i
					<-proceed
				}
				return Loaded[user]{Value: user{Name: "Ada"}}, nil
			}
		})
		clients, spaces = append(clients, c), append(spaces, s)
	}
	var callers sync.WaitGroup
	for _, s := range spaces {
		for range 100 {
			callers.Go(func() {
				if v, _, err := s.Get(t.Context(), key); err != nil || v.Name != "Ada" {
					t.Errorf("%+v: %+v, %v", r, v, err)
				}
			})
		}
	}
	holder := <-loading
	eventually(t, "the others wait", func() bool {
		waits := uint64(0)
		for _, s := range spaces {
			waits += s.Stats().LeaseWaits
		}
		return waits == 2
	})
	order := []int{holder, (holder + 1) % 3, (holder + 2) % 3}
	if !r.first {
		order = []int{order[1], order[2], holder}
	}
	for state := r.from + 1; state <= r.to; state++ {
		for _, i := range order {
			clients[i].sees(joining[state])
		}
		if joining[state] == membership.Importing {
			if err := move(f.text(key)); err != nil {
				t.Error(err)
			}
		}
	}
	close(proceed)
	began := time.Now()
	callers.Wait()
	took, made = time.Since(began), int(loads.Load())
	for _, s := range spaces {
		mustGet(t, s, key)
	}
	if int(loads.Load()) != made {
		t.Errorf("%+v: nothing was stored", r)
	}
	return made, took
}
