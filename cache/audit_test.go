package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// auditOf finds what an audit has of one space.
func auditOf(t *testing.T, r AuditReport, space string) SpaceAudit {
	t.Helper()
	for _, s := range r.Spaces {
		if s.Space == space {
			return s
		}
	}
	t.Fatalf("no space %q in %+v", space, r)
	return SpaceAudit{}
}

// strict is a codec that refuses some of what it made itself.
type strict struct{ JSON[string] }

func (s strict) Decode(data, binding []byte) (string, error) {
	v, err := s.JSON.Decode(data, binding)
	if err == nil && v == "refused" {
		err = errors.New("refused")
	}
	return v, err
}

// Everything that can be wrong with an entry is found, over all nodes of each store.
func TestAudit(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 2)
			store := b.open(t, addresses)
			m := newManager(t, store)
			s, err := NewSpace(m, SpaceConfig[userKey, string]{Name: "svc:user", Schema: 3, Codec: strict{}})
			if err != nil {
				t.Fatal(err)
			}
			lax, err := NewSpace(newManager(t, store), SpaceConfig[userKey, string]{Name: "svc:user", Schema: 3}) // which stores what s refuses
			if err != nil {
				t.Fatal(err)
			}
			put := func(tenant, value string) (storeKey, Entry) {
				k, err := s.keyOf(t.Context(), userKey{Tenant: tenant})
				if err != nil {
					t.Fatal(err)
				}
				_, e, err := lax.seal(k, Loaded[string]{Value: value}, false, 0)
				if err != nil {
					t.Fatal(err)
				}
				set(t, store, k.text, e)
				return k, e
			}
			for i := range 50 {
				put(fmt.Sprint("sound ", i), "x")
			}
			put(strings.Repeat("long", 100), "under a hash") // of its key
			put("refused", "refused")
			put("large", strings.Repeat("x", 5000))
			_, other := put("other", "y")
			wrong, _ := put("wrong", "x")
			set(t, store, wrong.text, Entry{Value: other.Value, TTL: time.Hour})
			broken, _ := put("broken", "x")
			set(t, store, broken.text, Entry{Value: []byte("broken broken broken broken broken broken"), TTL: time.Hour})
			old, err := storeKeyOf("svc:user/2/", userKey{}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			e := envelope{schema: 2, identity: old.identity, payload: []byte(`"x"`)}
			set(t, store, old.text, Entry{Value: e.encode(), TTL: time.Hour})
			if _, err := store.Incr(t.Context(), s.counts+"i1:1", 1, time.Hour); err != nil {
				t.Fatal(err)
			}
			lease(t, store, s.prefix+"s1:l", LeaseRequest{}, Won)
			set(t, store, "elsewhere", stored("x", 0))
			forever := 0
			if b.name != "memory" {
				writeForeign(t, b.name, addresses, s.prefix+"i1:7", []byte(strings.Repeat("for ever ", 10)))
				forever = 1
			}

			r, err := m.Audit(t.Context(), AuditConfig{Large: 4000, Examples: 1, Rate: 1e6})
			if err != nil || !r.Complete {
				t.Fatalf("complete %v, %v", r.Complete, err)
			}
			got := auditOf(t, r, "svc:user/3")
			want := map[Problem]int{TooLarge: 1, Undecodable: 2 + forever, WrongIdentity: 1}
			if forever > 0 {
				want[NoTTL] = 1
			}
			if !maps.Equal(got.Problems, want) {
				t.Errorf("problems %v, want %v", got.Problems, want)
			}
			if got.Entries != 56 || got.Others != 2 || r.Foreign != 1 || r.Keys != 60+forever {
				t.Errorf("%d entries, %d others, %d foreign, %d keys", got.Entries, got.Others, r.Foreign, r.Keys)
			}
			if ex := got.Examples[WrongIdentity]; len(ex) != 1 || ex[0] != wrong.text {
				t.Errorf("examples %q", ex)
			}
			if old := auditOf(t, r, "svc:user/2"); old.Problems[UnknownSchema] != 1 || old.Entries != 1 {
				t.Errorf("the other schema: %+v", old)
			}
			sum := 0
			for _, n := range got.TTLs {
				sum += n
			}
			if sum != got.Entries || got.Bytes < 5000 {
				t.Errorf("%d entries by time to live of %d, %d bytes", sum, got.Entries, got.Bytes)
			}
			// A sample.
			r, err = m.Audit(t.Context(), AuditConfig{Limit: 10, Prefix: "svc:user/3/", Rate: 1e6})
			if err != nil || r.Complete || r.Keys < 10 || r.Keys > 20 || r.Foreign != 0 {
				t.Errorf("a sample: %+v, %v", r, err)
			}
		})
	}
}

// An audit keeps to its rate, and ends with its context: what it found is reported.
func TestAuditRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, NewMemory())
		for i := range 3 * auditPage {
			set(t, m.cfg.Store, fmt.Sprint("svc/0/i1:", i), stored("x", 0))
		}
		begun := time.Now()
		if _, err := m.Audit(t.Context(), AuditConfig{Rate: 1000}); err != nil || time.Since(begun) < 290*time.Millisecond {
			t.Errorf("300 keys at 1000 a second took %v, %v", time.Since(begun), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, err := m.Audit(ctx, AuditConfig{Rate: 1})
		if !errors.Is(err, context.DeadlineExceeded) || r.Complete || r.Keys != auditPage {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestAuditRefuses(t *testing.T) {
	m := newManager(t, NewMemory())
	for _, cfg := range []AuditConfig{{Rate: -1}, {Limit: -1}, {Large: -1}, {Examples: -1}} {
		if _, err := m.Audit(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if _, err := Audit(t.Context(), struct{ Store }{NewMemory()}, AuditConfig{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a store that cannot: %v", err)
	}
	_ = m.Close()
	if _, err := m.Audit(t.Context(), AuditConfig{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func FuzzSpaceOf(f *testing.F) {
	for _, key := range []string{"svc:user/3/s1:a", "svc:user/3/#00", "//", "a/1/", "a/1/#zz", "/", ""} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if space, _ := spaceOf(key); space != "" {
			if !strings.HasPrefix(key, space+"/") {
				t.Errorf("space %q of %q", space, key)
			}
			identityOf(key, space)
		}
	})
}
