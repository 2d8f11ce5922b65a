package cache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// notes is an Observer and a Tracer that keeps what it is told.
type notes struct {
	mu      sync.Mutex
	begun   []string
	ended   []string
	parents map[string]string
}

type observedIn struct{}

func (n *notes) Observe(space string, op Operation, took time.Duration, o Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	line := space + " " + op.String()
	if o.Source != 0 {
		line += " from " + o.Source.String()
	}
	if o.Err != nil {
		line += " failed"
	}
	if took < 0 {
		line += " before it began"
	}
	n.ended = append(n.ended, line)
}

func (n *notes) Start(ctx context.Context, space string, op Operation) (context.Context, func(Outcome)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.begun = append(n.begun, space+" "+op.String())
	if n.parents == nil {
		n.parents = make(map[string]string)
	}
	parent, _ := ctx.Value(observedIn{}).(string)
	n.parents[op.String()] = parent
	once := false
	return context.WithValue(ctx, observedIn{}, op.String()), func(Outcome) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if once {
			n.ended = append(n.ended, op.String()+" ended twice")
		}
		once = true
	}
}

// take returns what has ended since the last call.
func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	ended := n.ended
	n.ended = nil
	return ended
}

func observed(t *testing.T, n *notes, change func(*SpaceConfig[userKey, user])) *Space[userKey, user] {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: NewMemory(), Observer: n, Tracer: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return newUsers(t, m, change)
}

func TestOperationsAreObserved(t *testing.T) {
	n := &notes{}
	failing := errors.New("the source is away")
	var loadedIn string
	s := observed(t, n, func(c *SpaceConfig[userKey, user]) {
		c.L1.MaxBytes = 1 << 20
		c.Life.NoStaleOnError = true
		c.Save = func(context.Context, userKey, user) (uint64, error) { return 1, nil }
		c.Load = func(ctx context.Context, k userKey) (Loaded[user], error) {
			loadedIn, _ = ctx.Value(observedIn{}).(string)
			if k.ID == 2 {
				return Loaded[user]{}, failing
			}
			return Loaded[user]{Value: user{Name: "Ada"}}, nil
		}
	})
	in := func(lines ...string) []string {
		for i, l := range lines {
			lines[i] = "user/3 " + l
		}
		return lines
	}
	get := func() { mustGet(t, s, ada) }
	for _, tt := range []struct {
		name string
		do   func()
		want []string
	}{
		{"a miss", get, in("l1", "lookup failed", "lease", "load", "store", "get from loader")},
		{"a hit of level 1", get, in("l1 from L1", "get from L1")},
		{"a hit of the store", func() { s.l1.forget(); get() }, in("l1", "lookup", "get from L2")},
		{"an error", func() { _, _, _ = s.Get(t.Context(), userKey{ID: 2}) }, in("l1", "lookup failed", "lease", "load failed", "get failed")},
		{"Invalidate", func() { _ = s.Invalidate(t.Context(), ada) }, in("invalidate")},
		{"Put", func() { _ = s.Put(t.Context(), ada, user{}) }, in("store", "put")},
	} {
		tt.do()
		if got := n.take(); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
	if loadedIn != "load" {
		t.Errorf("the loader was called in the context of %q, want that of its own operation", loadedIn)
	}
	for op, parent := range map[string]string{"l1": "get", "lookup": "get", "lease": "get", "load": "get", "get": "", "store": "put"} {
		if n.parents[op] != parent {
			t.Errorf("%s has the parent %q, want %q", op, n.parents[op], parent)
		}
	}
}

func TestManyKeysAreObserved(t *testing.T) {
	n := &notes{}
	s := observed(t, n, func(c *SpaceConfig[userKey, user]) {
		c.LoadMany = func(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
			return map[userKey]Loaded[user]{keys[0]: {Value: user{Name: "Ada"}}}, nil
		}
	})
	s.GetMany(t.Context(), []userKey{ada, {ID: 2}})
	want := []string{"user/3 lookup", "user/3 lease", "user/3 load", "user/3 store", "user/3 get_many"}
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever wants to know of nothing pays for nothing: a hit of level 1 of a plain
// value allocates nothing more than it does inside.
func TestUnobservedCostsNothing(t *testing.T) {
	s, err := NewSpace(newManager(t, NewMemory()), SpaceConfig[userKey, int]{Name: "n", L1: L1Config{MaxBytes: 1 << 20},
		Load: Plain(func(context.Context, userKey) (int, error) { return 1, nil })})
	if err != nil {
		t.Fatal(err)
	}
	get := func() {
		if _, _, err := s.Get(context.Background(), ada); err != nil {
			t.Error(err)
		}
	}
	get()
	inside := testing.AllocsPerRun(100, func() { _, _, _ = s.getWith(context.Background(), ada, nil, true) })
	if n := testing.AllocsPerRun(100, get); n != inside {
		t.Errorf("a hit of level 1 allocates %v times, and %v times inside", n, inside)
	}
	if n := testing.AllocsPerRun(100, func() {
		_, ended := s.observe(context.Background(), OpLookup)
		ended(Outcome{})
	}); n != 0 {
		t.Errorf("to observe nothing allocates %v times", n)
	}
}

func TestManagerStats(t *testing.T) {
	m := newManager(t, NewMemory())
	if got := m.Stats(); len(got) != 0 {
		t.Errorf("without spaces: %+v", got)
	}
	value := strings.Repeat("x", 1000)
	load := Plain(func(context.Context, userKey) (string, error) { return value, nil })
	var spaces []*Space[userKey, string]
	for _, cfg := range []SpaceConfig[userKey, string]{
		{Name: "b", Load: load, L1: L1Config{MaxBytes: 20_000}}, {Name: "a", Load: load},
	} {
		s, err := NewSpace(m, cfg)
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, s)
	}
	for i := range 100 {
		for _, s := range spaces {
			if _, _, err := s.Get(t.Context(), userKey{ID: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	spaces[0].l1.cache.CleanUp()
	all := m.Stats()
	if len(all) != 2 || all[0].Space != "a/0" || all[1].Space != "b/0" {
		t.Fatalf("%+v", all)
	}
	if a := all[0]; a.L1 != (L1Stats{}) || a.Stats.Misses != 100 || a.Stats.Lookups != 100 {
		t.Errorf("without level 1: %+v", a)
	}
	b := all[1].L1
	if b.MaxBytes != 20_000 || b.Bytes == 0 || b.Bytes > b.MaxBytes || b.Entries == 0 ||
		int(b.Evictions)+b.Entries != 100 || b.EvictedBytes < b.Evictions*1000 {
		t.Errorf("with level 1: %+v", b)
	}
	if err := m.Close(); err != nil || len(m.Stats()) != 0 {
		t.Errorf("closed: %v, %+v", err, m.Stats())
	}
}

func TestOperationNames(t *testing.T) {
	seen := map[string]bool{"": true, "unknown": true, "none": true}
	for _, op := range Operations() {
		if seen[op.String()] {
			t.Errorf("operation %d: %q", op, op)
		}
		seen[op.String()] = true
	}
	if got := Operation(200).String(); got != "unknown" {
		t.Errorf("no operation: %q", got)
	}
}
