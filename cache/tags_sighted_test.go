package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A tag that only values say, and that is new, has the load made again that met it first,
// and not those that begin after it was made, whatever the server's clock counts in.
func TestNewTagIsLoadedTwiceOnce(t *testing.T) {
	const keys = 100
	eachBackend(t, func(t *testing.T, store allStores) {
		var loads atomic.Int64
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Tags.OfValue = func(userKey, user) []Tag { return kind("category") }
			c.Load = func(context.Context, userKey) (Loaded[user], error) {
				loads.Add(1)
				return Loaded[user]{Value: user{Name: "x"}}, nil
			}
		})
		begun := time.Now()
		for i := range int64(keys) {
			mustGet(t, s, userKey{"", i})
		}
		t.Logf("%d loads for %d keys with one new tag in %v", loads.Load(), keys, time.Since(begun))
		if n := loads.Load(); n < keys+1 || n > keys+keys/4 { // a few, where this machine held a request up
			t.Errorf("%d loads for %d keys, want one more", n, keys)
		}
		if st := s.Stats(); st.Stored != keys {
			t.Errorf("%d are stored, want %d", st.Stored, keys)
		}
	})
}

// What a process has seen of a tag makes it no older than it is: another version begins
// anew, and who asks is told of the time until he asked, not until he was answered.
func TestSightings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sightings
		want := func(tag string, version uint64, sent time.Time, said, want time.Duration) {
			t.Helper()
			if got := s.age(tag, version, sent, said); got != want {
				t.Errorf("%s, version %d: %v, want %v", tag, version, got, want)
			}
		}
		begun := time.Now()
		want("a", 7, begun, 0, 0)
		time.Sleep(300 * time.Millisecond)
		want("a", 7, begun.Add(200*time.Millisecond), 0, 200*time.Millisecond)
		want("a", 7, begun.Add(200*time.Millisecond), time.Second, time.Second) // others have seen it before
		want("b", 7, time.Now(), 0, 0)
		want("a", 8, time.Now(), 0, 0) // invalidated
		time.Sleep(100 * time.Millisecond)
		want("a", 8, time.Now(), 0, 100*time.Millisecond)
		want("a", 7, time.Now(), 0, 0)
		want("a", 9, begun, 0, 0)
		want("a", 9, begun, 0, 0) // asked before it was seen
		want("old", 1, begun, time.Hour, time.Hour)
		for i := range 3 * mostSighted {
			s.age(fmt.Sprint(i), 1, time.Now(), 0)
			if len(s.of) > mostSighted {
				t.Fatalf("%d are kept, want %d at most", len(s.of), mostSighted)
			}
		}
	})
}

// Without a store level 1 keeps what has tags, as long as without them, and forgets it
// when a tag is invalidated.
func TestTagsWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManager(ManagerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.L1.MaxBytes = newSource().load, 1<<20
			tenantTags(c)
		})
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(20 * time.Second)
		wantName(t, s, "Ada", FromL1)
		untag(t, m, "tenant:other")
		wantName(t, s, "Ada", FromL1)
		untag(t, m, "tenant:acme")
		wantName(t, s, "Ada", FromLoader)
		wantName(t, s, "Ada", FromL1)
		for _, space := range m.Stats() {
			if space.Stats.Later.Queued != 0 {
				t.Errorf("%s: %d invalidations wait to be repeated", space.Space, space.Stats.Later.Queued)
			}
		}
	})
}
