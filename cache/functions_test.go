package cache

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// buggy is a codec that panics where it is told to; what it is not told is JSON.
type buggy struct {
	JSON[user]
	encode, decode bool
}

func (b buggy) Encode(u user, id []byte) ([]byte, error) {
	if b.encode {
		panic(errBug)
	}
	return b.JSON.Encode(u, id)
}

func (b buggy) Decode(data, id []byte) (user, error) {
	if b.decode {
		panic(errBug)
	}
	return b.JSON.Decode(data, id)
}

var errBug = errors.New("a bug")

// wantPanic checks that an error is the panic of a function, with its stack.
func wantPanic(t *testing.T, what string, err error, in string) {
	t.Helper()
	var p *PanicError
	if !errors.As(err, &p) || p.In != in || !errors.Is(err, errBug) || !strings.Contains(err.Error(), in+" panicked: a bug") || !strings.Contains(string(p.Stack), "functions_test.go") {
		t.Errorf("%s: %v, want the panic of %s with its stack", what, err, in)
	}
}

// What a function panics with that makes an entry is an error of all who read the key; it
// is counted, leaves no lease to others, and begins a pause.
func TestPanicsOfALoad(t *testing.T) {
	for in, change := range map[string]func(*SpaceConfig[userKey, user]){
		"the loader": func(c *SpaceConfig[userKey, user]) {
			c.Load = func(context.Context, userKey) (Loaded[user], error) { panic(errBug) }
		},
		"Validate": func(c *SpaceConfig[userKey, user]) { c.Validate = func(userKey, user) error { panic(errBug) } },
		"TTLFor":   func(c *SpaceConfig[userKey, user]) { c.TTLFor = func(userKey, user) time.Duration { panic(errBug) } },
		"Tags.OfValue": func(c *SpaceConfig[userKey, user]) {
			c.Tags.OfValue = func(userKey, user) []Tag { panic(errBug) }
		},
	} {
		for _, read := range reads {
			synctest.Test(t, func(t *testing.T) {
				store, src := NewMemory(), newSource()
				s, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
					c.Load = src.load
					if change(c); read.many {
						c.LoadMany = manyOf(c.Load)
					}
				})
				there, _ := usersOf(t, store, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
				defer s.m.Close()
				defer there.m.Close()
				_, _, err := read.get(s)
				wantPanic(t, read.name, err, in)
				if n := s.Stats().LoadErrors; n != 1 {
					t.Errorf("%s of %s: %d errors counted, want 1", in, read.name, n)
				}
				if _, _, err = read.get(s); !errors.Is(err, ErrPaused) {
					t.Errorf("%s of %s, again: %v, want a pause", in, read.name, err)
				}
				begun := time.Now()
				if _, _, err = read.get(there); err != nil || time.Since(begun) != 0 {
					t.Errorf("%s of %s: another process: %v after %v", in, read.name, err, time.Since(begun))
				}
			})
		}
	}
}

// The functions of keys and of copies: an error, wherever they run.
func TestPanicsOfReads(t *testing.T) {
	for in, change := range map[string]func(*SpaceConfig[userKey, user]){
		"Clone":                 func(c *SpaceConfig[userKey, user]) { c.Clone = func(user) user { panic(errBug) } },
		"AppendKey or GuardKey": func(c *SpaceConfig[userKey, user]) { c.GuardKey = func(userKey) error { panic(errBug) } },
		"Tags.OfKey":            func(c *SpaceConfig[userKey, user]) { c.Tags.OfKey = func(userKey) []Tag { panic(errBug) } },
		"Bulkhead.Tenant": func(c *SpaceConfig[userKey, user]) {
			c.Bulkhead = BulkheadConfig[userKey]{Tenant: func(userKey) string { panic(errBug) }, TenantLoads: 1}
		},
	} {
		for _, read := range reads {
			synctest.Test(t, func(t *testing.T) {
				src := newSource()
				s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
					c.Load, c.L1.MaxBytes = src.load, 1<<20
					if change(c); read.many {
						c.LoadMany = manyOf(c.Load)
					}
				})
				defer s.m.Close()
				_, _, err := read.get(s)
				wantPanic(t, read.name, err, in)
			})
		}
	}
}

// A copy of level 1 that cannot be made is a miss there: the fleet has the value.
func TestPanicsOfLevel1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, bad := newSource(), false
		s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
			c.Load, c.L1.MaxBytes = src.load, 1<<20
			c.Clone = func(u user) user {
				if bad {
					panic(errBug)
				}
				return cloneUser(u)
			}
		})
		defer s.m.Close()
		wantName(t, s, "Ada", FromLoader)
		wantName(t, s, "Ada", FromL1)
		bad = true
		wantName(t, s, "Ada", FromL2)
	})
}

// Nor is one that the codec does not decode a hit, where it has to: then the fleet's is none
// either.
func TestPanicsOfLevel1Decoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, text := false, "row"
		s := spaceOver(t, NewMemory(), SpaceConfig[userKey, openHolder]{Name: "h", Codec: &fickle[openHolder]{bad: &bad}, L1: L1Config{MaxBytes: 1 << 20},
			Load: func(context.Context, userKey) (Loaded[openHolder], error) {
				return Loaded[openHolder]{Value: openHolder{Texts: []*string{&text}}}, nil
			}})
		defer s.m.Close()
		for _, want := range []Source{FromLoader, FromL1, FromLoader} {
			v, meta, err := s.Get(t.Context(), ada)
			if err != nil || meta.Source != want || *v.text() != "row" {
				t.Fatalf("Get = %v from %v, %v; want one from %v", v, meta.Source, err, want)
			}
			bad = want == FromL1
		}
	})
}

// fickle is a codec that panics on all bytes from some moment on.
type fickle[V any] struct {
	JSON[V]
	bad *bool
}

func (f *fickle[V]) Decode(data, id []byte) (V, error) {
	if *f.bad {
		panic(errBug)
	}
	return f.JSON.Decode(data, id)
}

// A Save that panics may have written: the old entry goes, and the caller is told.
func TestPanicsOfSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		value := user{Name: "Grace"}
		s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
			c.Load = src.load
			c.Save = func(_ context.Context, k userKey, u user) (uint64, error) {
				src.set(k, Loaded[user]{Value: u})
				panic(errBug)
			}
			c.SaveMany = func(ctx context.Context, all []Pair[userKey, user]) ([]uint64, error) {
				src.set(all[0].Key, Loaded[user]{Value: all[0].Value})
				panic(errBug)
			}
		})
		defer s.m.Close()
		wantName(t, s, "Ada", FromLoader)
		wantPanic(t, "Put", s.Put(context.Background(), ada, value), "Save")
		wantName(t, s, "Grace", FromLoader)
		value.Name = "Joan"
		wantPanic(t, "PutMany", s.PutMany(context.Background(), []Pair[userKey, user]{{ada, value}}), "SaveMany")
		wantName(t, s, "Joan", FromLoader)
		_, err := s.Update(context.Background(), ada, func(user, bool) (user, error) { panic(errBug) })
		wantPanic(t, "Update", err, "change")
		wantName(t, s, "Joan", FromL2)
	})
}

// What panics once the source was written is an error too, and leaves no old entry.
func TestPanicsAfterSave(t *testing.T) {
	pairs := func(name string) []Pair[userKey, user] { return []Pair[userKey, user]{{ada, user{Name: name}}} }
	for _, many := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			src, bad, version := newSource(), false, uint64(0)
			s, _ := usersOf(t, NewMemory(), func(c *SpaceConfig[userKey, user]) {
				c.Load = src.load
				c.SaveMany = func(_ context.Context, all []Pair[userKey, user]) ([]uint64, error) {
					version++
					src.set(ada, Loaded[user]{Value: all[0].Value, Version: version})
					return []uint64{version}, nil
				}
				c.Save = func(ctx context.Context, k userKey, u user) (uint64, error) {
					_, err := c.SaveMany(ctx, []Pair[userKey, user]{{k, u}})
					return version, err
				}
				c.TTLFor = func(userKey, user) time.Duration {
					if bad {
						bad = false
						panic(errBug)
					}
					return 0
				}
			})
			defer s.m.Close()
			index, err := NewIndex(s, IndexConfig[userKey, userKey, user]{Name: "names",
				Load: func(context.Context, userKey) (userKey, error) { return ada, nil },
				Names: func(u user) []userKey {
					if u.Name == "Grace" {
						_ = u.Roles[0]
					}
					return nil
				}})
			if err != nil || index == nil {
				t.Fatal(err)
			}
			put := func(name string) error {
				if many {
					return s.PutMany(context.Background(), pairs(name))
				}
				return s.Put(context.Background(), ada, user{Name: name})
			}
			var p *PanicError
			if err := put("Grace"); !errors.As(err, &p) || p.In != "IndexConfig.Names" {
				t.Errorf("many %v: %v, want the panic of Names", many, err)
			}
			wantName(t, s, "Grace", FromL2)
			bad = true
			wantPanic(t, "TTLFor", put("Joan"), "TTLFor")
			wantName(t, s, "Joan", FromLoader)
		})
	}
}

// A function of the limit that panics keeps no place.
func TestPanicOfOverloaded(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) {
		c.Limit = LimitConfig{Max: 1, NoWait: true, Overloaded: func(error) bool { panic(errBug) }}
		c.Pause.Disabled = true
	}, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(errBroken, 0)
		for range 3 {
			if _, _, err := s.Get(context.Background(), ada); !errors.Is(err, errBroken) {
				t.Errorf("%v, want the error of the source", err)
			}
		}
	})
}

// A codec that panics has not encoded: whoever loads the value has it.
func TestPanicOfEncode(t *testing.T) {
	for _, read := range reads {
		src, store := newSource(), NewMemory()
		s, told := usersOf(t, store, func(c *SpaceConfig[userKey, user]) {
			c.Codec, c.Load = buggy{encode: true}, src.load
			if read.many {
				c.LoadMany = manyOf(src.load)
			}
		})
		v, meta, err := read.get(s)
		if err != nil || v.Name != "Ada" || meta.Source != FromLoader || len(store.cells) != 0 || s.Stats().Unstorable != 1 || len(told.all) != 1 {
			t.Fatalf("%s: %v, %v, %v, told %v", read.name, v, meta, err, told.all)
		}
		wantPanic(t, read.name, told.all[0], "Codec.Encode")
		_ = s.m.Close()
	}
}

// bugOfLease is a store of which something panics.
type bugOfLease struct{ *Memory }

func (bugOfLease) Lease(context.Context, string, LeaseRequest) (Grant, error) { panic(errBug) }

// What else panics in a load begins a pause too.
func TestPanicOfAStore(t *testing.T) {
	src := newSource()
	s, _ := usersOf(t, bugOfLease{NewMemory()}, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	defer s.m.Close()
	for i := range 2 {
		var p *PanicError
		if _, _, err := s.Get(context.Background(), ada); !errors.As(err, &p) || p.In != "" || errors.Is(err, ErrPaused) != (i == 1) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
