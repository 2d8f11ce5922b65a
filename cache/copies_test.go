package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type (
	roles   []string
	address struct {
		Street string
		Seen   time.Time
		From   netip.Prefix
	}
	account struct {
		Name      string
		Roles     []string
		Named     roles
		Raw       json.RawMessage
		Bytes     []byte
		Home      *address
		Others    []*address
		ByCity    map[string][]address
		Few       [2][]int
		Counts    map[[2]int]map[string]int64
		Deep      ***[]string
		Gone      *time.Time
		hidden    int //nolint:unused // one that is not exported and flat is copied with the rest
		At, Until time.Time
	}
	tree   struct{ Children []*tree }
	lidded struct{ parts []string }
	opener struct{ Parts []string }
)

func (o *opener) UnmarshalJSON([]byte) error { return nil }

func TestCopierKnows(t *testing.T) {
	for _, c := range []struct {
		t           reflect.Type
		flat, plain bool
		parts       bool // something is to be copied beside the value
	}{
		{reflect.TypeFor[int](), true, true, false},
		{reflect.TypeFor[[3]string](), true, true, false},
		{reflect.TypeFor[time.Time](), false, true, false},
		{reflect.TypeFor[struct{ At [2]time.Time }](), false, true, false},
		{reflect.TypeFor[[]byte](), false, true, true},
		{reflect.TypeFor[account](), false, true, true},
		{reflect.TypeFor[*account](), false, true, true},
		{reflect.TypeFor[map[netip.Addr]int](), false, true, true},
		{reflect.TypeFor[struct {
			At   *time.Time
			Raw  *json.RawMessage
			From *netip.Addr
		}](), false, true, true},
		{reflect.TypeFor[any](), false, false, false},
		{reflect.TypeFor[struct{ Any any }](), false, false, false},
		{reflect.TypeFor[map[any]int](), false, false, false},
		{reflect.TypeFor[map[*int]int](), false, false, false},
		{reflect.TypeFor[struct{ Do func() }](), false, false, false},
		{reflect.TypeFor[chan int](), false, false, false},
		{reflect.TypeFor[tree](), false, false, false},
		{reflect.TypeOf(lidded{parts: []string{"part"}}), false, false, false},
		{reflect.TypeFor[struct{ lidded }](), false, false, false},
		{reflect.TypeFor[*opener](), false, false, false},
		{reflect.TypeFor[big.Int](), false, false, false},
		{reflect.TypeFor[bytes.Buffer](), false, false, false},
		{reflect.TypeFor[url.URL](), false, false, false},
		{reflect.TypeFor[time.Location](), false, false, false},
	} {
		if got := copiesOf(c.t); got.flat != c.flat || got.plain != c.plain || (got.copier != nil) != c.parts {
			t.Errorf("%v: flat %v, plain %v, something to copy %v; want %v, %v, %v", c.t, got.flat, got.plain, got.copier != nil, c.flat, c.plain, c.parts)
		}
	}
}

// filled fills a value at random, at times with nil and with nothing.
func filled(v reflect.Value, r *rand.Rand) {
	switch n := r.IntN(4); v.Kind() {
	case reflect.String:
		v.SetString(strings.Repeat("x", n))
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64())
	case reflect.Uint8:
		v.SetUint(uint64(n))
	case reflect.Slice:
		if n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, 2*n))
		}
		fillEach(v, r)
	case reflect.Array:
		fillEach(v, r)
	case reflect.Pointer:
		if n > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			filled(v.Elem(), r)
		}
	case reflect.Map:
		if n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for range n - 1 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			filled(key, r)
			filled(value, r)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		switch p := v.Addr().Interface().(type) {
		case *time.Time:
			*p = time.Unix(r.Int64N(1e9), 0).UTC()
		case *netip.Prefix:
			*p = netip.MustParsePrefix("2001:db8::/32")
		default:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					filled(v.Field(i), r)
				}
			}
		}
	}
}

func fillEach(v reflect.Value, r *rand.Rand) {
	for i := range v.Len() {
		filled(v.Index(i), r)
	}
}

// reached collects the addresses that a value leads to.
func reached(v reflect.Value, at map[uintptr]reflect.Type) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if size := v.Type().Elem().Size(); size > 0 {
			at[v.Pointer()] = v.Type()
		}
		reached(v.Elem(), at)
	case reflect.Slice:
		if v.Cap() > 0 {
			at[v.Pointer()] = v.Type()
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			reached(v.Index(i), at)
		}
	case reflect.Map:
		if !v.IsNil() {
			at[v.Pointer()] = v.Type()
		}
		for each := v.MapRange(); each.Next(); {
			reached(each.Value(), at)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type() != reflect.TypeFor[time.Time]() && v.Type() != reflect.TypeFor[netip.Prefix]() {
				reached(v.Field(i), at)
			}
		}
	}
}

func TestCopiesShareNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	c := copiesOf(reflect.TypeFor[account]())
	addresses := 0
	for range 2000 {
		var was account
		filled(reflect.ValueOf(&was).Elem(), r)
		was.hidden = 7
		own := copiedBy(c.copier, was)
		if !reflect.DeepEqual(own, was) {
			t.Fatalf("a copy of\n%+v is\n%+v", was, own)
		}
		theirs, ours := map[uintptr]reflect.Type{}, map[uintptr]reflect.Type{}
		reached(reflect.ValueOf(was), theirs)
		reached(reflect.ValueOf(own), ours)
		for at, what := range ours {
			if theirs[at] != nil {
				t.Fatalf("%v is shared, in %+v", what, was)
			}
		}
		addresses += len(ours)
	}
	if addresses < 10000 {
		t.Errorf("%d addresses were compared: what is filled in is too little", addresses)
	}
}

// far is a store that takes its time.
type far struct{ *Memory }

func (f far) Get(ctx context.Context, key string) (Entry, error) {
	time.Sleep(time.Millisecond)
	return f.Memory.Get(ctx, key)
}

// counting is JSON that counts, which it decodes.
type counting[V any] struct {
	JSON[V]
	decoded *atomic.Int64
}

func (c counting[V]) Decode(data, identity []byte) (V, error) {
	c.decoded.Add(1)
	return c.JSON.Decode(data, identity)
}

// holder is a value of a type that is plain, or that only the codec can copy.
type holder interface{ text() *string }

type plainHolder struct{ Texts []*string }

func (h plainHolder) text() *string { return h.Texts[0] }

type openHolder struct {
	Texts []*string
	Any   any
}

func (h openHolder) text() *string { return h.Texts[0] }

// loud is a codec that does not make again what it was given.
type loud struct{ JSON[plainHolder] }

func (c loud) Decode(data, identity []byte) (plainHolder, error) {
	v, err := c.JSON.Decode(data, identity)
	for _, text := range v.Texts {
		*text = strings.ToUpper(*text)
	}
	return v, err
}

// What a loader hands out, and may change at any time, is not what callers get copies of: it
// is what the codec makes of it, and so the same for the first of them as for the others.
func TestCopiesOfTheLoadersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "row"
		own := plainHolder{[]*string{&text}}
		s := spaceOver(t, NewMemory(), SpaceConfig[userKey, plainHolder]{Name: "h", Codec: loud{}, L1: L1Config{MaxBytes: 1 << 20},
			Load: func(context.Context, userKey) (Loaded[plainHolder], error) {
				return Loaded[plainHolder]{Value: own}, nil
			}})
		defer s.m.Close()
		for _, want := range []Source{FromLoader, FromL1} {
			v, meta, err := s.Get(t.Context(), ada)
			if err != nil || meta.Source != want || *v.text() != "ROW" {
				t.Errorf("Get = %q from %v, %v; want ROW, from %v", *v.text(), meta.Source, err, want)
			}
		}
	})
}

// What Reload asks whether a value is enough may do with it what it likes.
func TestReloadSharesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "row"
		load := func(context.Context, userKey) (Loaded[plainHolder], error) {
			return Loaded[plainHolder]{Value: plainHolder{[]*string{&text}}}, nil
		}
		s := spaceOver(t, NewMemory(), SpaceConfig[userKey, plainHolder]{Name: "h", L1: L1Config{MaxBytes: 1 << 20, TTL: time.Minute}, Load: load})
		defer s.m.Close()
		if _, _, err := s.Get(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		var kept plainHolder
		enough := func(v plainHolder) bool { kept = v; *v.text() = "changed"; return true }
		if _, meta, err := s.Reload(t.Context(), ada, load, enough); err != nil || meta.Source != FromL2 {
			t.Errorf("Reload: from %v, %v; want from L2, where it is enough", meta.Source, err)
		}
		v, meta, err := s.Get(t.Context(), ada)
		if err != nil || meta.Source != FromL1 || *v.text() != "row" || v.text() == kept.text() {
			t.Errorf("Get = %q from %v, %v; want row from L1", *v.text(), meta.Source, err)
		}
	})
}

// What callers do to their values, whichever way these came, changes nobody else's; and a
// plain type is not decoded for it.
func TestCopiesEverywhere(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		decoded := copiesEverywhere(t, func(text string) plainHolder { return plainHolder{[]*string{&text}} })
		// When it is loaded, and by each request to the store, of which 25 callers make two,
		// and who would load it anew one.
		if decoded > 7 {
			t.Errorf("%d times was a plain value decoded, want 7 at most", decoded)
		}
	})
	t.Run("open", func(t *testing.T) {
		decoded := copiesEverywhere(t, func(text string) openHolder { return openHolder{Texts: []*string{&text}} })
		if decoded < 100 {
			t.Errorf("%d times was a value decoded that cannot be copied, want once for each of 100 callers", decoded)
		}
	})
}

func copiesEverywhere[V holder](t *testing.T, of func(string) V) (decoded int64) {
	var count atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		row, fails := of("row"), atomic.Bool{}
		config := SpaceConfig[userKey, V]{Name: "h", Codec: counting[V]{decoded: &count}, Life: LifeConfig{NoJitter: true},
			L1: L1Config{MaxBytes: 1 << 20, TTL: time.Second},
			Load: func(context.Context, userKey) (Loaded[V], error) {
				time.Sleep(time.Second)
				if fails.Load() {
					return Loaded[V]{}, errors.New("the source fails")
				}
				return Loaded[V]{Value: row}, nil
			}}
		s := spaceOver(t, far{NewMemory()}, config)
		rush := func(callers int, want Source) {
			t.Helper()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					v, meta, err := s.Get(t.Context(), ada)
					if err != nil || meta.Source != want || *v.text() != "row" {
						t.Errorf("%v, from %v, %q; want from %v", err, meta.Source, *v.text(), want)
						return
					}
					*v.text() = "changed"
				})
			}
			all.Wait()
		}
		rush(25, FromLoader)
		rush(25, FromL1)
		time.Sleep(2 * time.Second) // level 1 has forgotten it
		rush(25, FromL2)            // one of them, and those who share the next request
		rush(25, FromL1)
		time.Sleep(2 * time.Second)
		rush(1, FromL2) // he has for himself what was decoded, of which level 1 has a copy
		rush(1, FromL1)
		fails.Store(true)
		time.Sleep(5 * time.Minute)
		rush(25, FromStale)
		if *row.text() != "row" {
			t.Error("the loader's own value was changed")
		}
		if err := s.m.Close(); err != nil {
			t.Error(err)
		}
	})
	return count.Load()
}
