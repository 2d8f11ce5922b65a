package cache

import (
	"context"
	"testing"
	"time"
)

// The versions of the source begin anew, as after it was restored, and somebody calls
// BumpEpoch: each key is stored again with the second load at the latest.
func TestEpochVersionsBeginAnew(t *testing.T) {
	ways := map[string]func(t *testing.T, s *Space[userKey, user]) Source{
		"Get": func(t *testing.T, s *Space[userKey, user]) Source {
			_, meta := mustGet(t, s, ada)
			return meta.Source
		},
		"GetMany": func(t *testing.T, s *Space[userKey, user]) Source {
			a := s.GetMany(t.Context(), []userKey{ada})[ada]
			if a.Err != nil {
				t.Fatal(a.Err)
			}
			return a.Meta.Source
		},
	}
	for name, get := range ways {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, store allStores) {
				version := uint64(10)
				s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
					c.Epochs = true
					c.LoadMany = func(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
						all := make(map[userKey]Loaded[user])
						for _, k := range keys {
							all[k] = Loaded[user]{Value: user{Name: "Ada"}, Version: version}
						}
						return all, nil
					}
				})
				get(t, s)
				bump(t, s)
				version = 3
				for i, want := range []Source{FromLoader, FromLoader, FromL2} {
					if from := get(t, s); from != want {
						t.Errorf("Get %d after BumpEpoch: from %v, want %v", i+1, from, want)
					}
				}
				// Within the epoch the higher version goes on guarding.
				version = 2
				if err := s.InvalidateBelow(t.Context(), ada, 3); err != nil {
					t.Fatal(err)
				}
				if from := get(t, s); from != FromL2 {
					t.Errorf("the entry of version 3 is gone: from %v", from)
				}
			})
		})
	}
}

// A hold-off with a minimum version keeps out what is older, whatever the epoch.
func TestEpochLeavesHoldOff(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Epochs, c.Life.HoldOff = true, time.Minute },
		func(t *testing.T, s *Space[userKey, user], src *source) {
			src.set(ada, Loaded[user]{Value: user{Name: "old"}, Version: 3})
			if err := s.InvalidateBelow(t.Context(), ada, 10); err != nil {
				t.Fatal(err)
			}
			bump(t, s)
			for range 3 {
				wantName(t, s, "old", FromLoader)
			}
			time.Sleep(61 * time.Second)
			mustGet(t, s, ada)
			wantName(t, s, "old", FromL2)
		})
}
