package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// member is a value that is found by its addresses too.
type member struct {
	Name  string
	Mails []string
}

type mailName struct{ Mail string }

func (n mailName) AppendKey(b *KeyBuilder) { b.Personal(n.Mail) }

// directory is a source that is asked by ID and by address, and counts by address.
type directory struct {
	mu      sync.Mutex
	members map[userKey]member
	lookups int
}

func (d *directory) load(_ context.Context, k userKey) (Loaded[member], error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, found := d.members[k]
	if !found {
		return Loaded[member]{}, ErrNotFound
	}
	return Loaded[member]{Value: m}, nil
}

func (d *directory) byMail(_ context.Context, n mailName) (userKey, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookups++
	for k, m := range d.members {
		if slices.Contains(m.Mails, n.Mail) {
			return k, nil
		}
	}
	return userKey{}, ErrNotFound
}

func (d *directory) save(_ context.Context, k userKey, m member) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members[k] = m
	return 0, nil
}

func (d *directory) remove(k userKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.members, k)
}

func indexed(t *testing.T, store Store) (*Space[userKey, member], *Index[mailName, userKey, member], *directory) {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: store, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	d := &directory{members: map[userKey]member{ada: {"Ada", []string{"ada@example.org", "a@example.org"}}}}
	s, err := NewSpace(m, SpaceConfig[userKey, member]{Name: "member", Load: d.load, Save: d.save,
		SaveMany: func(ctx context.Context, pairs []Pair[userKey, member]) ([]uint64, error) {
			for _, p := range pairs {
				_, _ = d.save(ctx, p.Key, p.Value)
			}
			return make([]uint64, len(pairs)), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	ix, err := NewIndex(s, IndexConfig[mailName, userKey, member]{Name: "member-by-mail", Load: d.byMail,
		Names: func(m member) (names []mailName) {
			for _, mail := range m.Mails {
				names = append(names, mailName{mail})
			}
			return names
		}, Life: LifeConfig{NegativeTTL: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	return s, ix, d
}

func wantMember(t *testing.T, ix *Index[mailName, userKey, member], mail, name string) {
	t.Helper()
	v, _, err := ix.Get(t.Context(), mailName{mail})
	if name == "" && !errors.Is(err, ErrNotFound) || name != "" && (err != nil || v.Name != name) {
		t.Fatalf("%s is %q, %v; want %q", mail, v.Name, err, name)
	}
}

// Over each store: found by each address, from the cache; and every way in which an
// address can change its owner.
func TestIndex(t *testing.T) {
	bob := userKey{"acme", 2}
	eachBackend(t, func(t *testing.T, store allStores) {
		s, ix, d := indexed(t, store)
		write := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			wantMember(t, ix, "ada@example.org", "Ada")
			wantMember(t, ix, "a@example.org", "Ada")
			wantMember(t, ix, "new@example.org", "")
		}
		if d.lookups != 3 {
			t.Errorf("%d questions by address, want 3", d.lookups)
		}
		// Another address: the absence that was remembered of it ends, the old one too.
		write(s.Put(t.Context(), ada, member{"Ada", []string{"new@example.org"}}))
		wantMember(t, ix, "new@example.org", "Ada")
		wantMember(t, ix, "ada@example.org", "")
		wantMember(t, ix, "bob@example.org", "")
		// It goes to somebody else, in one step.
		write(s.PutMany(t.Context(), []Pair[userKey, member]{{ada, member{Name: "Ada"}}, {bob, member{"Bob", []string{"new@example.org", "bob@example.org"}}}}))
		wantMember(t, ix, "new@example.org", "Bob")
		wantMember(t, ix, "bob@example.org", "Bob")
		// Written elsewhere, and only the values invalidated.
		_, _ = d.save(t.Context(), bob, member{Name: "Bob"})
		_, _ = d.save(t.Context(), ada, member{"Ada", []string{"new@example.org"}})
		write(errors.Join(s.Invalidate(t.Context(), bob), s.Invalidate(t.Context(), ada)))
		wantMember(t, ix, "new@example.org", "Ada")
		// Deleted.
		d.remove(ada)
		write(s.Invalidate(t.Context(), ada))
		wantMember(t, ix, "new@example.org", "")
	})
}

// A value that nobody invalidated is found out by an index that comes from the source.
func TestIndexFindsOldValues(t *testing.T) {
	s, ix, d := indexed(t, NewMemory())
	if _, _, err := s.Get(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	_, _ = d.save(t.Context(), ada, member{"Ada again", []string{"other@example.org"}})
	wantMember(t, ix, "other@example.org", "Ada again")
	if k, _, err := ix.Key(t.Context(), mailName{"other@example.org"}); k != ada || err != nil {
		t.Errorf("Key: %v, %v", k, err)
	}
}

func TestIndexRefused(t *testing.T) {
	s, ix, d := indexed(t, NewMemory())
	// The source says by address what it denies by ID.
	d.mu.Lock()
	d.members[userKey{"x", 9}] = member{"X", []string{"x@example.org"}}
	d.mu.Unlock()
	ix.names = func(member) []mailName { return nil }
	if _, _, err := ix.Get(t.Context(), mailName{"x@example.org"}); !errors.Is(err, ErrOutOfStep) {
		t.Errorf("a source that contradicts itself: %v", err)
	}
	if _, err := NewIndex(s, IndexConfig[mailName, userKey, member]{Name: "x"}); !errors.Is(err, ErrConfig) {
		t.Errorf("nothing set: %v", err)
	}
	// A key of which JSON sees nothing would be the same for all.
	hidden, err := NewSpace(s.m, SpaceConfig[hiddenKey, member]{Name: "hidden"})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := NewIndex(hidden, IndexConfig[mailName, hiddenKey, member]{Name: "bad",
		Load:  func(context.Context, mailName) (hiddenKey, error) { return hiddenKey{7}, nil },
		Names: func(member) []mailName { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bad.Key(t.Context(), mailName{"x"}); !errors.Is(err, ErrInvalidValue) {
		t.Errorf("a codec that loses fields: %v", err)
	}
}

type hiddenKey struct{ id int64 }

func (k hiddenKey) AppendKey(b *KeyBuilder) { b.Int(k.id) }

// The fleet could not be told: Put says so.
func TestIndexNotInvalidated(t *testing.T) {
	store := &deafTo{Memory: NewMemory()}
	s, ix, _ := indexed(t, store)
	k, err := storeKeyOf(ix.keys.prefix, mailName{"ada@example.org"}, nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	store.key.Store(k.text)
	if err := s.Put(t.Context(), ada, member{"Ada", []string{"ada@example.org"}}); !errors.Is(err, ErrNotInvalidated) {
		t.Errorf("Put: %v", err)
	}
}
