package cache

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Clocks of clients are no versions: which of two values is newer the source says, also
// where one of two processes is 26 years behind the other. What comes last with an older
// version is refused whoever's clock is later, and what has a newer one is taken, over
// servers whose own clocks are right: by Put, and by a load.
func TestClientClocksAreNoVersions(t *testing.T) {
	for _, b := range backends {
		if b.name == "memory" { // whose clock is the client's
			continue
		}
		addresses := b.start(t, 2)
		for i, by := range []string{"put", "load"} {
			for j, behind := range []int{0, 1} { // the process whose clock is behind writes first, or last
				for k, versions := range [][2]uint64{{7, 8}, {8, 7}} {
					t.Run(fmt.Sprintf("%s/%s/%d first/process %d behind", b.name, by, versions[0], behind), func(t *testing.T) {
						key := userKey{"clocks", int64(4*i + 2*j + k)}
						for process, version := range versions {
							write := func(t *testing.T) { writeVersion(t, b.open(t, addresses), key, by, version) }
							if process == behind {
								synctest.Test(t, func(t *testing.T) { // where it is the year 2000
									if year := time.Now().UTC().Year(); year != 2000 {
										t.Fatalf("the clock is not behind: %d", year)
									}
									write(t)
								})
							} else {
								write(t)
							}
						}
						m := newManager(t, b.open(t, addresses))
						k, err := newUsers(t, m, nil).keyOf(t.Context(), key)
						if err != nil {
							t.Fatal(err)
						}
						e, err := m.cfg.Store.Get(t.Context(), k.text)
						if err != nil || e.Version != 8 {
							t.Errorf("version %d is there, %v; want 8, the newer one of the source", e.Version, err)
						}
					})
				}
			}
		}
	}
}

// writeVersion is a process that stores a value of that version, and ends.
func writeVersion(t *testing.T, store Store, key userKey, by string, version uint64) {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Save = func(context.Context, userKey, user) (uint64, error) { return version, nil }
	})
	value := user{Name: fmt.Sprint("version ", version)}
	if by == "put" {
		if err := s.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
		return
	}
	// A load that began when there was nothing else, and ends now.
	k, err := s.keyOf(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := s.seal(k, Loaded[user]{Value: value, Version: version}, false, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.leaser.Lease(t.Context(), k.text, LeaseRequest{Life: time.Minute, Renew: true})
	if err != nil || g.State != Won {
		t.Fatalf("lease: %v, %v", g.State, err)
	}
	if _, err := m.leaser.Fill(t.Context(), k.text, g.Lease, e); err != nil {
		t.Fatal(err)
	}
}
