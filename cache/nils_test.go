package cache

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/router"
)

// What is nil is refused when the configuration is, not by a panic at the first Get.
func TestNilsAreRefused(t *testing.T) {
	openManager := func(store Store) error {
		m, err := NewManager(ManagerConfig{Store: store})
		if m != nil {
			_ = m.Close()
		}
		return err
	}
	tiered := func(near, far Store) error {
		s, err := NewTiered(near, far, TieredConfig{})
		if err != nil {
			return err
		}
		defer s.Close()
		return openManager(s)
	}
	m := newManager(t, NewMemory())
	space := func(m *Manager, axes ...string) error {
		_, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "x", Axes: axes})
		return err
	}
	index := func(of *Space[userKey, user]) error {
		_, err := NewIndex(of, IndexConfig[wordKey, userKey, user]{Name: "i",
			Load:  func(context.Context, wordKey) (userKey, error) { return userKey{}, nil },
			Names: func(user) []wordKey { return nil }})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"a nil Memory":                 {openManager((*Memory)(nil)), "Store: a nil *cache.Memory"},
		"a nil Redis":                  {openManager((*Redis)(nil)), "Store: a nil *cache.Redis"},
		"a nil Memcached":              {openManager((*Memcached)(nil)), "Store: a nil *cache.Memcached"},
		"a nil Tiered":                 {openManager((*Tiered)(nil)), "Store: a nil *cache.Tiered"},
		"a zero Tiered":                {openManager(&Tiered{}), "NewTiered"},
		"OnRedis of nothing":           {openManager(OnRedis(nil)), "Store: a *cache.Redis without a client"},
		"OnRedis of a nil client":      {openManager(OnRedis((*redis.Client)(nil))), "over a nil *redis.Client"},
		"OnRedis of a nil router":      {openManager(OnRedis((*router.Redis)(nil))), "over a nil *router.Redis"},
		"OnMemcached of nothing":       {openManager(OnMemcached(nil)), "Store: a *cache.Memcached without a client"},
		"OnMemcached of a nil router":  {openManager(OnMemcached((*router.Memcached)(nil))), "over a nil *router.Memcached"},
		"a near store without client":  {tiered(OnRedis(nil), NewMemory()), "Store, near: a *cache.Redis without a client"},
		"a far store without a client": {tiered(NewMemory(), OnMemcached(nil)), "Store, far: a *cache.Memcached without a client"},
		"no near store":                {tiered(nil, NewMemory()), "near"},
		"a space of no manager":        {space(nil), "manager: nil"},
		"a space of a zero manager":    {space(&Manager{}), "NewManager"},
		"an axis without a name":       {space(m, "", "id"), "Axes[0]"},
		"two axes of one name":         {space(m, "id", "id"), "Axes[1]"},
		"an index of no space":         {index(nil), "space: nil"},
		"an index of a zero space":     {index(&Space[userKey, user]{}), "NewSpace"},
	} {
		if !errors.Is(c.err, ErrConfig) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v; want an ErrConfig that says %q", name, c.err, c.says)
		}
	}
}

// A Memory needs no NewMemory.
func TestZeroMemory(t *testing.T) {
	var m Memory
	wantMiss(t, &m, "k")
	del(t, &m, "k", AnyVersion, 0)
	if !set(t, &m, "k", stored("x", 1)) {
		t.Error("not stored")
	}
	wantEntry(t, &m, "k", "x", 1)
	var counts, tags, leases Memory
	if n, err := counts.Incr(t.Context(), "n", 1, longTTL); n != 1 || err != nil {
		t.Errorf("Incr: %d, %v", n, err)
	}
	if v := tags.MakeTags(t.Context(), []string{"t"}); v[0].Err != nil || v[0].Version == 0 {
		t.Errorf("MakeTags: %+v", v)
	}
	lease(t, &leases, "k", LeaseRequest{}, Won)
	src := newSource()
	mustGet(t, newUsers(t, newManager(t, &Memory{}), func(c *SpaceConfig[userKey, user]) { c.Load = src.load }), ada)
}
