package cache

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// wordKey is a key of a text of any length; what comes with it is of any type.
type wordKey struct {
	Word string
	Also [2]any
}

func (k wordKey) AppendKey(b *KeyBuilder) { b.String(k.Word) }

func TestKeyWeight(t *testing.T) {
	const own = 16 + 2*16
	for _, c := range []struct {
		key  wordKey
		want uint64
	}{
		{wordKey{}, own},
		{wordKey{Word: "four"}, own + 4},
		{wordKey{Word: "four", Also: [2]any{int64(1), "word"}}, own + 4 + 8 + 16 + 4},
		{wordKey{Also: [2]any{wordKey{Word: "six ch"}, &own16}}, own + own + 6 + 8},
	} {
		if got := keyWeight(c.key); got != c.want {
			t.Errorf("%+v: %d bytes, want %d", c.key, got, c.want)
		}
	}
}

var own16 = [16]byte{}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What level 1 and the fallback keep, with its keys, is within MaxBytes, as they count it
// and as the heap has it, whether keys or values are long.
func TestBoundedWithKeys(t *testing.T) {
	const most, entries = 4 << 20, 4000
	for _, c := range []struct {
		name       string
		key, value int // bytes
	}{{"short", 8, 8}, {"long keys", 3000, 8}, {"long values", 8, 3000}} {
		key := func(i int) wordKey { return wordKey{Word: fmt.Sprintf("%08d", i) + strings.Repeat("k", c.key-8)} }
		config := SpaceConfig[wordKey, string]{
			Name: "words", Life: LifeConfig{TTL: time.Hour}, L1: L1Config{MaxBytes: most, TTL: time.Hour},
			Load: func(_ context.Context, k wordKey) (Loaded[string], error) {
				return Loaded[string]{Value: strings.Repeat(k.Word[7:8], c.value)}, nil
			},
		}
		t.Run("level 1, "+c.name, func(t *testing.T) {
			s := spaceOver(t, &none{Memory: NewMemory()}, config)
			before := heapInUse()
			for i := range entries {
				if _, _, err := s.Get(t.Context(), key(i)); err != nil {
					t.Fatal(err)
				}
			}
			s.l1.cache.CleanUp()
			var texts uint64
			for k, entry := range s.l1.cache.All() {
				texts += uint64(len(k.Word) + len(entry.(*held[string]).value))
			}
			within4MB(t, s.l1.stats(most).Bytes, texts, heapInUse()-before)
		})
		t.Run("fallback, "+c.name, func(t *testing.T) {
			config := config
			config.L1, config.Fallback = L1Config{}, FallbackConfig{MaxBytes: most, MaxAge: time.Hour}
			s := spaceOver(t, NewMemory(), config)
			before := heapInUse()
			for i := range entries {
				k, err := s.keyOf(t.Context(), key(i))
				if err != nil {
					t.Fatal(err)
				}
				a, _, err := s.seal(k, Loaded[string]{Value: strings.Repeat("v", c.value)}, false, 0)
				if err != nil {
					t.Fatal(err)
				}
				s.spares.put(key(i), s.spares.generation(k.identity), k.turn, a)
			}
			s.spares.cache.CleanUp()
			var texts uint64
			s.spares.each(func(k wordKey, spare *spare[string]) {
				texts += uint64(len(k.Word) + len(spare.answer.value) + len(spare.answer.payload))
			})
			_, bytes := s.spares.size()
			within4MB(t, bytes, texts, heapInUse()-before)
		})
	}
}

// sparse has much more memory than text, and openRows what only the codec can copy.
type (
	row struct {
		A, B, C, D int64 `json:",omitzero"`
	}
	sparse struct {
		Rows   []row
		ByName map[string]*row
	}
	openRows struct {
		Text string
		Any  any
	}
)

// Values that are copied part by part count as what they need in memory, whatever the codec
// makes of them; others as the bytes that are kept of them.
func TestBoundedWithParts(t *testing.T) {
	t.Run("slice", func(t *testing.T) {
		boundedWith(t, func(int) sparse { return sparse{Rows: make([]row, 500)} })
	})
	t.Run("map", func(t *testing.T) {
		boundedWith(t, func(int) sparse {
			v := sparse{ByName: make(map[string]*row)}
			for i := range 200 {
				v.ByName[fmt.Sprint(i)] = &row{}
			}
			return v
		})
	})
	t.Run("small maps", func(t *testing.T) {
		boundedWith(t, func(int) []map[string]int64 {
			maps := make([]map[string]int64, 300)
			for i := range maps {
				maps[i] = map[string]int64{"ab": 1}
			}
			return maps
		})
	})
	t.Run("empty maps", func(t *testing.T) {
		boundedWith(t, func(int) []map[string]int64 {
			maps := make([]map[string]int64, 300)
			for i := range maps {
				maps[i] = map[string]int64{}
			}
			return maps
		})
	})
	t.Run("codec", func(t *testing.T) {
		boundedWith(t, func(i int) openRows { return openRows{Text: strings.Repeat("v", 5000+i%7)} })
	})
}

// thrifty is a codec whose parts lie in one piece of memory, one behind the other: each has
// room for what follows.
type thrifty struct{ JSON[[][]byte] }

func (c thrifty) Decode(data, identity []byte) ([][]byte, error) {
	parts, err := c.JSON.Decode(data, identity)
	all := bytes.Join(parts, nil)
	for i, part := range parts {
		parts[i], all = all[:len(part)], all[len(part):]
	}
	return parts, err
}

// What level 1 keeps is weighed, not what it is a copy of.
func TestCopyIsWeighed(t *testing.T) {
	s := spaceOver(t, NewMemory(), SpaceConfig[wordKey, [][]byte]{Name: "parts", Codec: thrifty{}, L1: L1Config{MaxBytes: 1 << 20},
		Load: func(context.Context, wordKey) (Loaded[[][]byte], error) {
			return Loaded[[][]byte]{Value: slices.Repeat([][]byte{make([]byte, 64)}, 2000)}, nil
		}})
	for _, want := range []Source{FromLoader, FromL1} {
		if _, meta, err := s.Get(t.Context(), wordKey{Word: "w"}); err != nil || meta.Source != want {
			t.Errorf("from %v, %v; want from %v", meta.Source, err, want)
		}
	}
}

// The fallback weighs what it keeps in the same way.
func TestFallbackBoundedWithParts(t *testing.T) {
	const most = 4 << 20
	s := spaceOver(t, NewMemory(), SpaceConfig[wordKey, sparse]{Name: "parts", Life: LifeConfig{TTL: time.Hour},
		Fallback: FallbackConfig{MaxBytes: most, MaxAge: time.Hour}})
	before := heapInUse()
	for i := range 3000 {
		key := wordKey{Word: fmt.Sprint(i)}
		k, err := s.keyOf(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := s.seal(k, Loaded[sparse]{Value: sparse{Rows: make([]row, 500)}}, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.spares.put(key, s.spares.generation(k.identity), k.turn, a)
	}
	s.spares.cache.CleanUp()
	if entries, heap := s.spares.cache.EstimatedSize(), heapInUse()-before; entries < 50 || heap > 2*most {
		t.Errorf("%d entries, and the heap grew by %d bytes; want some, and at most about %d bytes", entries, heap, most)
	}
}

func boundedWith[V any](t *testing.T, of func(int) V) {
	const most = 4 << 20
	s := spaceOver(t, &none{Memory: NewMemory()}, SpaceConfig[wordKey, V]{
		Name: "parts", Life: LifeConfig{TTL: time.Hour}, L1: L1Config{MaxBytes: most, TTL: time.Hour},
		Load: func(context.Context, wordKey) (Loaded[V], error) { return Loaded[V]{Value: of(0)}, nil },
	})
	before := heapInUse()
	for i := range 3000 {
		if _, _, err := s.Get(t.Context(), wordKey{Word: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	s.l1.cache.CleanUp()
	entries, heap := s.l1.cache.EstimatedSize(), heapInUse()-before
	if entries < 50 || heap > 2*most {
		t.Errorf("%d entries, and the heap grew by %d bytes; want some, and at most about %d bytes", entries, heap, most)
	}
	t.Logf("%d entries, counted as %d bytes; the heap grew by %d", entries, s.l1.stats(most).Bytes, heap)
}

func within4MB(t *testing.T, counted, texts uint64, heap int64) {
	t.Helper()
	const most = 4 << 20
	if counted > most || texts > most || texts == 0 {
		t.Errorf("%d bytes are counted and %d of texts are held, want at most %d", counted, texts, most)
	}
	if heap > 2*most {
		t.Errorf("the heap grew by %d bytes, want at most about %d", heap, most)
	}
}

// none is a store that keeps nothing.
type none struct{ *Memory }

func (*none) Fill(context.Context, string, Lease, Entry) (Filled, error) { return Stored, nil }
func (*none) Lease(context.Context, string, LeaseRequest) (Grant, error) {
	return Grant{State: Won}, nil
}

func spaceOver[K Key, V any](t *testing.T, store Store, c SpaceConfig[K, V]) *Space[K, V] {
	t.Helper()
	s, err := NewSpace(newManager(t, store), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
