package cache

import (
	"testing"
	"testing/synctest"
	"time"
)

// A fallback keeps values for longer than a first level: a session passes it over for as
// long, and for as long as a load of before may take.
func TestSessionAndAFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, memory := &ledgered{blank: true}, NewMemory()
		r.set(ada, "first")
		open := func(store Store) *Space[userKey, user] {
			m := newManager(t, store)
			t.Cleanup(func() { _ = m.Close() })
			return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Save = r.load, r.save
				c.L1 = L1Config{MaxBytes: 1 << 20, TTL: time.Second}
				c.Fallback = FallbackConfig{MaxBytes: 1 << 20, MaxAge: 4 * time.Minute}
				c.Life.NoJitter = true
			})
		}
		store := &outageStore{Memory: memory}
		a, b := open(memory), open(store)
		store.down.Store(true)
		mustGet(t, b, ada) // a load, which the fallback keeps
		session := NewSession()
		ctx := WithSession(t.Context(), session)
		if err := a.Put(ctx, ada, user{Name: "second"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if got, from := nameIn(t, t.Context(), b, ada); got != "first" || from != FromFallback {
			t.Errorf("without a session: %q from %v: the test shows nothing", got, from)
		}
		if got, from := nameIn(t, WithSession(t.Context(), handed(t, session)), b, ada); got != "second" {
			t.Errorf("with the session: %q from %v", got, from)
		}
		if want := 4*time.Minute + a.cfg.Loads.Timeout; a.oldest() != want {
			t.Errorf("remembered for %v, want %v", a.oldest(), want)
		}
	})
}
