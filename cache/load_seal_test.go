package cache

import (
	"context"
	"errors"
	"math"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errCodec = errors.New("it cannot be encoded, or not be decoded")

// oneWay is a codec that does one of the two, or none.
type oneWay struct {
	JSON[map[string]int]
	encodes bool
}

func (o oneWay) Encode(v map[string]int, id []byte) ([]byte, error) {
	if !o.encodes {
		return nil, errCodec
	}
	return o.JSON.Encode(v, id)
}

func (oneWay) Decode([]byte, []byte) (map[string]int, error) { return nil, errCodec }

// A value that does not come through its codec is for whoever loads it, and for nobody
// else; each of those who come at the same time has one of his own.
func TestValuesThatAreNotStored(t *testing.T) {
	for _, encodes := range []bool{false, true} {
		for _, many := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				const callers = 10
				store, told, loads := NewMemory(), &toldErrors{}, 0
				m, err := NewManager(ManagerConfig{Store: store, OnError: told.add})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				load := func(context.Context, userKey) (Loaded[map[string]int], error) {
					loads++
					time.Sleep(time.Second)
					return Loaded[map[string]int]{Value: map[string]int{"a": 1}, Version: 7}, nil
				}
				cfg := SpaceConfig[userKey, map[string]int]{Name: "maps", Load: load, Codec: oneWay{encodes: encodes}, L1: L1Config{MaxBytes: 1 << 20},
					Save: func(context.Context, userKey, map[string]int) (uint64, error) { return 8, nil }}
				if many {
					cfg.LoadMany = func(ctx context.Context, keys []userKey) (map[userKey]Loaded[map[string]int], error) {
						l, err := load(ctx, keys[0])
						return map[userKey]Loaded[map[string]int]{keys[0]: l}, err
					}
				}
				s, err := NewSpace(m, cfg)
				if err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				for i := range callers {
					all.Go(func() {
						var v map[string]int
						var meta Meta
						var err error
						if many {
							a := s.GetMany(context.Background(), []userKey{ada})[ada]
							v, meta, err = a.Value, a.Meta, a.Err
						} else {
							v, meta, err = s.Get(context.Background(), ada)
						}
						if err != nil || len(v) != 1 || meta.Source != FromLoader || meta.Version != 7 {
							t.Errorf("many %v, encodes %v: %v, %v, %v", many, encodes, v, meta, err)
							return
						}
						v["b"] = i // would be seen by others
					})
				}
				all.Wait()
				st := s.Stats()
				if loads != callers || st.Unstorable != callers || told.count(errCodec) != callers || st.Stored != 0 || st.LoadErrors != 0 {
					t.Errorf("many %v, encodes %v: %d loads, told %d times, %+v", many, encodes, loads, told.count(errCodec), st)
				}
				if err := s.Put(context.Background(), ada, map[string]int{"c": 1}); err != nil || told.count(errCodec) != callers+1 {
					t.Errorf("Put: %v, told %d times", err, told.count(errCodec))
				}
				if len(store.cells) != 0 {
					t.Errorf("many %v, encodes %v: the store has something", many, encodes)
				}
			})
		}
	}
}

// NaN is no JSON.
func TestNaNIsHandedOut(t *testing.T) {
	told := &toldErrors{}
	m, err := NewManager(ManagerConfig{Store: NewMemory(), OnError: told.add})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := NewSpace(m, SpaceConfig[userKey, float64]{Name: "numbers", L1: L1Config{MaxBytes: 1 << 20},
		Load: func(context.Context, userKey) (Loaded[float64], error) {
			return Loaded[float64]{Value: math.NaN()}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		v, meta, err := s.Get(context.Background(), ada)
		if err != nil || !math.IsNaN(v) || meta.Source != FromLoader || s.Stats().Unstorable != i+1 || len(told.all) != int(i)+1 {
			t.Errorf("%v, %v, %v, told %v", v, meta, err, told.all)
		}
	}
}

type (
	area  interface{ Area() float64 }
	floor struct {
		Name  string
		Rooms []area
	}
)

// Types that JSON does not make again are refused, not missed for ever.
func TestTypesThatAreNotJSON(t *testing.T) {
	for name, err := range map[string]error{
		"interface": newSpaceOf[*floor](t, nil),
		"chan":      newSpaceOf[chan int](t, nil),
		"chan JSON": newSpaceOf[chan int](t, JSON[chan int]{}),
		"func":      checkJSON(reflect.TypeFor[func()]()),
		"field":     checkJSON(reflect.TypeFor[struct{ F func() }]()),
		"error":     checkJSON(reflect.TypeFor[struct{ Err error }]()),
		"complex":   checkJSON(reflect.TypeFor[[]complex64]()),
		"map":       checkJSON(reflect.TypeFor[map[struct{ A int }]int]()),
	} {
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
	for name, err := range map[string]error{
		"on purpose": newSpaceOf(t, Codec[*floor](JSON[*floor]{})),
		"any":        checkJSON(reflect.TypeFor[map[string]any]()),
		"keys":       checkJSON(reflect.TypeFor[map[time.Time]map[uint8]int]()),
		"left out":   checkJSON(reflect.TypeFor[struct{ _ func() }]()),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
