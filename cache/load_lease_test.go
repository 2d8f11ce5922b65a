package cache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/servertest"
)

var errLostFill = errors.New("the connection broke")

// badFills is a store that fails to store what was loaded, so many times.
type badFills struct {
	*Memory
	mu    sync.Mutex
	left  int           // fills that fail
	after bool          // the value is stored, and the reply is lost
	hangs time.Duration // so long does a release take
}

func (b *badFills) bad() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
	return b.left >= 0
}

func (b *badFills) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	if !b.bad() {
		return b.Memory.Fill(ctx, key, l, e)
	}
	if b.after {
		_, _ = b.Memory.Fill(ctx, key, l, e)
	}
	return 0, errLostFill
}

func (b *badFills) StoreMany(ctx context.Context, writes []Write) []Result {
	results := make([]Result, len(writes))
	for i, w := range writes {
		results[i].Filled, results[i].Err = b.Fill(ctx, w.Key, *w.Lease, w.Entry)
	}
	return results
}

func (b *badFills) Release(ctx context.Context, key string, l Lease) error {
	if b.hangs > 0 {
		if err := pause(ctx, b.hangs); err != nil {
			return err
		}
	}
	return b.Memory.Release(ctx, key, l)
}

// usersOf is a space of a manager of its own, which the caller closes, and what was told.
func usersOf(t *testing.T, store Store, change func(*SpaceConfig[userKey, user])) (*Space[userKey, user], *toldErrors) {
	t.Helper()
	told := &toldErrors{}
	m, err := NewManager(ManagerConfig{Store: store, OnError: told.add, random: func() float64 { return 0.5 }})
	if err != nil {
		t.Fatal(err)
	}
	return newUsers(t, m, change), told
}

// toldErrors are what OnError was told.
type toldErrors struct {
	mu  sync.Mutex
	all []error
}

func (e *toldErrors) add(_ string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, err)
}

// count returns how many of them match the target.
func (e *toldErrors) count(target error) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, err := range e.all {
		if errors.Is(err, target) {
			n++
		}
	}
	return n
}

// manyOf makes LoadMany of a loader.
func manyOf(load Loader[userKey, user]) func(context.Context, []userKey) (map[userKey]Loaded[user], error) {
	return func(ctx context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
		all := make(map[userKey]Loaded[user])
		for _, k := range keys {
			l, err := load(ctx, k)
			switch {
			case err == nil:
				all[k] = l
			case !errors.Is(err, ErrNotFound):
				return nil, err
			}
		}
		return all, nil
	}
}

// reads are the ways to read a key: alone, and among others with and without LoadMany.
var reads = []struct {
	name string
	many bool // with LoadMany
	get  func(*Space[userKey, user]) (user, Meta, error)
}{
	{"Get", false, func(s *Space[userKey, user]) (user, Meta, error) { return s.Get(context.Background(), ada) }},
	{"GetMany", false, getAmong},
	{"LoadMany", true, getAmong},
}

func getAmong(s *Space[userKey, user]) (user, Meta, error) {
	a := s.GetMany(context.Background(), []userKey{ada})[ada]
	return a.Value, a.Meta, a.Err
}

// A fill that fails leaves no lease behind, whether its reply was lost or it was: nobody
// waits, here or in another process.
func TestLeaseAfterAFailedFill(t *testing.T) {
	for _, read := range reads {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				store, src := &badFills{Memory: NewMemory(), left: 1, after: after}, newSource()
				change := func(c *SpaceConfig[userKey, user]) {
					if c.Load = src.load; read.many {
						c.LoadMany = manyOf(src.load)
					}
				}
				s, told := usersOf(t, store, change)
				there, _ := usersOf(t, store, change)
				defer s.m.Close()
				defer there.m.Close()
				begun := time.Now()
				for i, of := range []*Space[userKey, user]{s, there, s} {
					v, meta, err := read.get(of)
					if want := (i == 0 || i == 1 && !after); err != nil || v.Name != "Ada" || (meta.Source == FromLoader) != want {
						t.Errorf("%s, call %d: %v, %v, %v", read.name, i, v, meta, err)
					}
				}
				if took := time.Since(begun); took != 0 {
					t.Errorf("%s waited for %v", read.name, took)
				}
				if n := told.count(errLostFill); n != 1 || s.Stats().StoreErrors != 1 {
					t.Errorf("%s: told %d times, %d counted, want 1", read.name, n, s.Stats().StoreErrors)
				}
			})
		}
	}
}

// A store that does not answer keeps nobody waiting for the lease to be given back.
func TestReleaseOfAStoreThatHangs(t *testing.T) {
	for _, read := range reads {
		synctest.Test(t, func(t *testing.T) {
			store, src := &badFills{Memory: NewMemory(), left: 1, hangs: 500 * time.Millisecond}, newSource()
			s, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
				if c.Load = src.load; read.many {
					c.LoadMany = manyOf(src.load)
				}
			})
			defer s.m.Close()
			begun := time.Now()
			if _, _, err := read.get(s); err != nil || time.Since(begun) > releaseWait {
				t.Errorf("%s: %v after %v", read.name, err, time.Since(begun))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if begun = time.Now(); len(store.cells) != 0 {
				t.Errorf("%s: the lease is there", read.name)
			}
			if _, _, err := read.get(s); err != nil || time.Since(begun) != 0 {
				t.Errorf("%s, later: %v after %v", read.name, err, time.Since(begun))
			}
		})
	}
}

// A value that is too large for Memcached is handed out each time, and nobody waits.
func TestValueTooLargeForMemcached(t *testing.T) {
	store := OnMemcached(memcachedFleet(t, []string{servertest.Memcached(t).Addr()}))
	large := user{Name: strings.Repeat("x", 2<<20)}
	load := func(context.Context, userKey) (Loaded[user], error) { return Loaded[user]{Value: large}, nil }
	for _, read := range reads {
		s, told := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
			if c.Load, c.Name = load, "user:"+read.name; read.many {
				c.LoadMany = manyOf(load)
			}
		})
		for range 3 {
			if v, meta, err := read.get(s); err != nil || v.Name != large.Name || meta.Source != FromLoader {
				t.Errorf("%s: %d bytes, %v, %v", read.name, len(v.Name), meta, err)
			}
		}
		if st := s.Stats(); st.LeaseWaits != 0 || st.StoreErrors != 3 || len(told.all) != 3 {
			t.Errorf("%s: %d waits, %d errors, told %v", read.name, st.LeaseWaits, st.StoreErrors, told.all)
		}
		_ = s.m.Close()
	}
}

// leaseless is a store without leases.
type leaseless struct{ Store }

// What the source does not have any more is not handed out as an old value when it next
// fails, be the absence remembered or not.
func TestAbsenceEndsTheOldValue(t *testing.T) {
	for _, read := range reads {
		for _, c := range []struct {
			name       string
			noNegative bool
			store      Store
		}{{"NoNegative", true, NewMemory()}, {"NoStore", false, NewMemory()}, {"no leases", true, leaseless{NewMemory()}}} {
			if read.many && !c.noNegative {
				continue // LoadMany has nothing to say of what is not there
			}
			synctest.Test(t, func(t *testing.T) {
				src := newSource()
				load := func(ctx context.Context, k userKey) (Loaded[user], error) {
					l, err := src.load(ctx, k)
					l.NoStore = errors.Is(err, ErrNotFound) && !c.noNegative
					return l, err
				}
				s, _ := usersOf(t, c.store, func(cfg *SpaceConfig[userKey, user]) {
					cfg.Load, cfg.Life = load, LifeConfig{TTL: time.Second, NoJitter: true, StaleOnError: time.Hour, NoNegative: c.noNegative}
					if read.many {
						cfg.LoadMany = manyOf(load)
					}
				})
				defer s.m.Close()
				if _, _, err := read.get(s); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				src.mu.Lock()
				delete(src.rows, ada)
				src.mu.Unlock()
				if _, _, err := read.get(s); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s, %s: %v, want ErrNotFound", read.name, c.name, err)
				}
				time.Sleep(time.Second)
				src.fail(errBroken, 0)
				if v, meta, err := read.get(s); !errors.Is(err, errBroken) {
					t.Errorf("%s, %s: %v from %v, %v, want the error of the source", read.name, c.name, v, meta.Source, err)
				}
				if n := s.Stats().Stored; n != 1 {
					t.Errorf("%s, %s: %d were stored, want 1", read.name, c.name, n)
				}
			})
		}
	}
}

// A value that is not to be stored leaves the old one where it is.
func TestNoStoreLeavesTheOldValue(t *testing.T) {
	for _, read := range reads {
		synctest.Test(t, func(t *testing.T) {
			src := newSource()
			s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Life = src.load, LifeConfig{TTL: time.Second, NoJitter: true, StaleOnError: time.Hour}
				if read.many {
					c.LoadMany = manyOf(src.load)
				}
			})
			defer s.m.Close()
			for _, step := range []struct {
				row  Loaded[user]
				fail error
				want Source
			}{
				{row: Loaded[user]{Value: user{Name: "Ada"}}, want: FromLoader},
				{row: Loaded[user]{Value: user{Name: "for now"}, NoStore: true}, want: FromLoader},
				{row: Loaded[user]{Value: user{Name: "for now"}, NoStore: true}, want: FromLoader}, // again: it was not stored
				{fail: errBroken, want: FromStale},
			} {
				src.set(ada, step.row)
				src.fail(step.fail, 0)
				v, meta, err := read.get(s)
				if name := step.row.Value.Name; err != nil || meta.Source != step.want || name != "" && v.Name != name || name == "" && v.Name != "Ada" {
					t.Errorf("%s, %+v: %v, %v, %v", read.name, step, v, meta, err)
				}
				time.Sleep(1100 * time.Millisecond)
			}
		})
	}
}

// That an entry is gone, every store knows at once.
func TestAbsenceEndsTheEntry(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		s, told := usersOf(t, store, func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.NoNegative = src.load, true })
		defer s.m.Close()
		wantName(t, s, "Ada", FromLoader)
		src.mu.Lock()
		delete(src.rows, ada)
		src.mu.Unlock()
		if _, _, err := s.Reload(context.Background(), ada, src.load, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		if v, meta, err := s.GetWith(context.Background(), ada, nil); !errors.Is(err, ErrNoLoader) || len(told.all) != 0 {
			t.Errorf("%v from %v, %v, told %v; want nothing", v, meta.Source, err, told.all)
		}
		src.set(ada, Loaded[user]{Value: user{Name: "Ada"}})
		wantName(t, s, "Ada", FromLoader)
		wantName(t, s, "Ada", FromL2)
	})
}
