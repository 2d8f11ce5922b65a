package memcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// clocks is how far the times of a server may be off: its clock counts seconds, is not
// ours, and is behind on a busy machine, where a test is slow as well.
const clocks = 30 * time.Second

// TestBehaviour is what a real memcached does, call by call. Each case has a key
// of its own.
func TestBehaviour(t *testing.T) {
	c, server := real(t)
	ctx := background(t)
	cases := []struct {
		name string
		run  func(t *testing.T, key string)
	}{
		{"set and get", func(t *testing.T, key string) {
			value := []byte("a\r\nVA 3\r\nMN\r\n\x00b")
			must(t, c.Set(ctx, Item{Key: key, Value: value, Flags: math.MaxUint32}))
			got, err := c.Get(ctx, key)
			if err != nil || got.Key != key || !bytes.Equal(got.Value, value) || got.Flags != math.MaxUint32 || got.CAS == 0 || got.TTL != 0 {
				t.Errorf("got %+v, %v", got, err)
			}
		}},
		{"empty value", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key}))
			got, err := c.Get(ctx, key)
			if err != nil || got.Value == nil || len(got.Value) != 0 {
				t.Errorf("got %+v, %v, want a value that is empty and not nil", got, err)
			}
		}},
		{"miss", func(t *testing.T, key string) {
			_, err := c.Get(ctx, key)
			wantError(t, err, ErrCacheMiss)
			wantError(t, c.Touch(ctx, key, time.Hour), ErrCacheMiss)
			_, err = c.GetAndTouch(ctx, key, time.Hour)
			wantError(t, err, ErrCacheMiss)
			wantError(t, c.Delete(ctx, key), ErrCacheMiss)
			_, err = c.Increment(ctx, key, 1)
			wantError(t, err, ErrCacheMiss)
			_, err = c.Debug(ctx, key)
			wantError(t, err, ErrCacheMiss)
			wantError(t, c.CompareAndSwap(ctx, Item{Key: key, CAS: 1}), ErrCacheMiss, ErrNotStored)
			wantError(t, c.DeleteCAS(ctx, key, 1), ErrCacheMiss)
		}},
		{"add", func(t *testing.T, key string) {
			must(t, c.Add(ctx, Item{Key: key, Value: []byte("1")}))
			wantError(t, c.Add(ctx, Item{Key: key, Value: []byte("2")}), ErrNotStored)
			wantValue(t, c, key, "1")
		}},
		{"replace", func(t *testing.T, key string) {
			wantError(t, c.Replace(ctx, Item{Key: key, Value: []byte("1")}), ErrNotStored)
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("1")}))
			must(t, c.Replace(ctx, Item{Key: key, Value: []byte("2")}))
			wantValue(t, c, key, "2")
		}},
		{"append and prepend", func(t *testing.T, key string) {
			wantError(t, c.Append(ctx, Item{Key: key, Value: []byte("1")}), ErrNotStored)
			wantError(t, c.Prepend(ctx, Item{Key: key, Value: []byte("1")}), ErrNotStored)
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("b"), Flags: 5, TTL: time.Hour}))
			must(t, c.Append(ctx, Item{Key: key, Value: []byte("c"), Flags: 9, TTL: time.Minute}))
			must(t, c.Prepend(ctx, Item{Key: key, Value: []byte("a")}))
			got, err := c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnValue | ReturnFlags | ReturnTTL})
			if err != nil || string(got.Value) != "abc" || got.ClientFlags != 5 || got.TTL < 59*time.Minute {
				t.Errorf("got %+v, %v, want abc with the first one's flags and time to live", got, err)
			}
		}},
		{"compare and swap", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("1")}))
			first, err := c.Get(ctx, key)
			must(t, err)
			second := first
			first.Value, second.Value = []byte("2"), []byte("3")
			must(t, c.CompareAndSwap(ctx, first))
			wantError(t, c.CompareAndSwap(ctx, second), ErrCASConflict)
			wantValue(t, c, key, "2")
			second.CAS = 0
			wantError(t, c.CompareAndSwap(ctx, second), ErrInvalidRequest)
			wantValue(t, c, key, "2")
		}},
		{"delete with CAS", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("1")}))
			item, err := c.Get(ctx, key)
			must(t, err)
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("2")}))
			wantError(t, c.DeleteCAS(ctx, key, item.CAS), ErrCASConflict)
			wantError(t, c.DeleteCAS(ctx, key, 0), ErrInvalidRequest)
			wantValue(t, c, key, "2")
			item, err = c.Get(ctx, key)
			must(t, err)
			must(t, c.DeleteCAS(ctx, key, item.CAS))
			_, err = c.Get(ctx, key)
			wantError(t, err, ErrCacheMiss)
		}},
		{"delete", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key}))
			must(t, c.Delete(ctx, key))
			wantError(t, c.Delete(ctx, key), ErrCacheMiss)
		}},
		{"arithmetic", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("42"), TTL: time.Hour}))
			wantCount(t, 50)(c.Increment(ctx, key, 8))
			wantCount(t, 50)(c.Increment(ctx, key, 0))
			wantCount(t, 1)(c.Decrement(ctx, key, 49))
			wantValue(t, c, key, "1 ") // the server's own way
			wantCount(t, 0)(c.Decrement(ctx, key, 2))
			wantCount(t, math.MaxUint64)(c.Increment(ctx, key, math.MaxUint64))
			wantCount(t, 1)(c.Increment(ctx, key, 2))
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("x")}))
			_, err := c.Increment(ctx, key, 1)
			wantError(t, err, ErrClientError)
			wantValue(t, c, key, "x") // and the connection is as good as before
		}},
		{"increment or create", func(t *testing.T, key string) {
			wantCount(t, 10)(c.IncrementWithInitial(ctx, key, 3, 10, time.Hour))
			wantCount(t, 13)(c.IncrementWithInitial(ctx, key, 3, 10, time.Minute))
			got, err := c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnTTL})
			if err != nil || got.TTL < 59*time.Minute {
				t.Errorf("got %+v, %v, want the time to live of the creation", got, err)
			}
		}},
		{"arithmetic with all flags", func(t *testing.T, key string) {
			r := ArithmeticRequest{Key: key, Delta: 1, Create: ExpireIn(0), Return: ReturnValue | ReturnCAS | ReturnTTL | ReturnKey, Opaque: "o"}
			got, err := c.MetaArithmetic(ctx, r)
			if err != nil || got.Status != StatusValue || string(got.Value) != "0" || got.CAS == 0 || got.Key != key || got.Opaque != "o" || got.TTL != 0 {
				t.Errorf("got %+v, %v", got, err)
			}
			r.CompareCAS, r.Touch = got.CAS, ExpireIn(time.Minute)
			next, err := c.MetaArithmetic(ctx, r)
			if err != nil || string(next.Value) != "1" || next.CAS == got.CAS || next.TTL == 0 || next.TTL > time.Minute {
				t.Errorf("got %+v, %v", next, err)
			}
			if again, err := c.MetaArithmetic(ctx, r); err != nil || again.Status != StatusExists {
				t.Errorf("with the CAS of before: got %+v, %v", again, err)
			}
			if silent, err := c.MetaArithmetic(ctx, ArithmeticRequest{Key: key, Delta: 1}); err != nil || silent.Status != StatusOK || silent.Value != nil {
				t.Errorf("got %+v, %v", silent, err)
			}
		}},
		{"time to live", func(t *testing.T, key string) {
			const day = 24 * time.Hour
			for _, tt := range []struct{ set, least, most time.Duration }{
				{0, 0, 0},
				{90*time.Second + 1, 91*time.Second - clocks, 91 * time.Second},
				{30 * day, 30*day - clocks, 30 * day},
				{31 * day, 31*day - clocks, 31*day + clocks}, // in two clocks
				{math.MaxInt64, 365 * day, 20 * 365 * day},   // 2038, and not at once
			} {
				must(t, c.Set(ctx, Item{Key: key, TTL: tt.set}))
				got, err := c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnTTL})
				if err != nil || got.TTL < tt.least || got.TTL > tt.most {
					t.Errorf("TTL %v: got %v, %v, want %v to %v", tt.set, got.TTL, err, tt.least, tt.most)
				}
			}
			must(t, c.Set(ctx, Item{Key: key, TTL: -1}))
			_, err := c.Get(ctx, key)
			wantError(t, err, ErrCacheMiss)
		}},
		{"touch", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("1")}))
			must(t, c.Touch(ctx, key, time.Hour))
			got, err := c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnTTL})
			if err != nil || got.TTL < 59*time.Minute || got.TTL > time.Hour {
				t.Errorf("after Touch: got %+v, %v", got, err)
			}
			item, err := c.GetAndTouch(ctx, key, 2*time.Hour)
			if err != nil || string(item.Value) != "1" || item.CAS == 0 {
				t.Errorf("GetAndTouch: got %+v, %v", item, err)
			}
			got, err = c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnTTL})
			if err != nil || got.TTL < 119*time.Minute {
				t.Errorf("after GetAndTouch: got %+v, %v", got, err)
			}
			must(t, c.Touch(ctx, key, 0))
			if got, err = c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnTTL}); err != nil || got.TTL != 0 {
				t.Errorf("after Touch for ever: got %+v, %v", got, err)
			}
			must(t, c.Touch(ctx, key, -1))
			_, err = c.Get(ctx, key)
			wantError(t, err, ErrCacheMiss)
		}},
		{"the time left can be given to a set", func(t *testing.T, key string) {
			for _, ttl := range []time.Duration{0, time.Hour, 40 * 24 * time.Hour} {
				must(t, c.Set(ctx, Item{Key: key, TTL: ttl}))
				read, err := c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnTTL})
				must(t, err)
				must(t, c.Set(ctx, Item{Key: key + "copy", TTL: read.TTL}))
				copied, err := c.MetaGet(ctx, GetRequest{Key: key + "copy", Return: ReturnTTL})
				if err != nil || (copied.TTL == 0) != (ttl == 0) || (copied.TTL-read.TTL).Abs() > clocks {
					t.Errorf("TTL %v: got %v, %v, want %v", ttl, copied.TTL, err, read.TTL)
				}
			}
		}},
		{"everything that a get returns", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("abc"), Flags: 7}))
			r := GetRequest{Key: key, Return: 1<<8 - 1, Opaque: "o", NoBump: true}
			got, err := c.MetaGet(ctx, r)
			if err != nil || got.Status != StatusValue || string(got.Value) != "abc" || got.CAS == 0 || got.ClientFlags != 7 || got.Size != 3 ||
				got.Hit || got.Key != key || got.Opaque != "o" || got.LastAccess > time.Minute {
				t.Errorf("got %+v, %v", got, err)
			}
			if got, err = c.MetaGet(ctx, r); err != nil || got.Hit {
				t.Errorf("after a get without a trace: got %+v, %v", got, err)
			}
			r.NoBump = false
			_, err = c.MetaGet(ctx, r)
			must(t, err)
			if got, err = c.MetaGet(ctx, r); err != nil || !got.Hit {
				t.Errorf("after a get: got %+v, %v", got, err)
			}
			got, err = c.MetaGet(ctx, GetRequest{Key: key + "missing", Return: 1<<8 - 1, Opaque: "o"})
			if err != nil || got.Status != StatusMiss || got.Found() || got.Opaque != "o" || got.Key != key+"missing" {
				t.Errorf("miss: got %+v, %v", got, err)
			}
		}},
		{"leases: a miss is won once", func(t *testing.T, key string) {
			r := GetRequest{Key: key, Return: ReturnValue | ReturnCAS | ReturnTTL, Vivify: ExpireIn(30 * time.Second)}
			won, err := c.MetaGet(ctx, r)
			if err != nil || won.Status != StatusValue || !won.Won || won.Pending || len(won.Value) != 0 || won.CAS == 0 || won.TTL > 30*time.Second {
				t.Fatalf("first: got %+v, %v", won, err)
			}
			if lost, err := c.MetaGet(ctx, r); err != nil || lost.Won || !lost.Pending || len(lost.Value) != 0 {
				t.Errorf("second: got %+v, %v", lost, err)
			}
			filled, err := c.MetaSet(ctx, SetRequest{Key: key, Value: []byte("v"), CompareCAS: won.CAS, Return: ReturnCAS | ReturnKey, Opaque: "x"})
			if err != nil || filled.Status != StatusOK || filled.CAS == 0 || filled.Key != key || filled.Opaque != "x" {
				t.Errorf("fill: got %+v, %v", filled, err)
			}
			if got, err := c.MetaGet(ctx, r); err != nil || got.Won || got.Pending || string(got.Value) != "v" {
				t.Errorf("filled: got %+v, %v", got, err)
			}
			if late, err := c.MetaSet(ctx, SetRequest{Key: key, Value: []byte("w"), CompareCAS: won.CAS}); err != nil || late.Status != StatusExists {
				t.Errorf("late fill: got %+v, %v", late, err)
			}
		}},
		{"leases: recache before the end", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("v"), TTL: 30 * time.Second}))
			r := GetRequest{Key: key, Return: ReturnValue, RecacheBelow: 10 * time.Second}
			if got, err := c.MetaGet(ctx, r); err != nil || got.Won || got.Pending {
				t.Errorf("with time left: got %+v, %v", got, err)
			}
			r.RecacheBelow = time.Minute
			if got, err := c.MetaGet(ctx, r); err != nil || !got.Won || got.Pending || string(got.Value) != "v" {
				t.Errorf("first: got %+v, %v", got, err)
			}
			if got, err := c.MetaGet(ctx, r); err != nil || got.Won || !got.Pending || string(got.Value) != "v" {
				t.Errorf("second: got %+v, %v", got, err)
			}
		}},
		{"stale after a delete", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("v")}))
			before, err := c.Get(ctx, key)
			must(t, err)
			marked, err := c.MetaDelete(ctx, DeleteRequest{Key: key, Invalidate: true, TTL: ExpireIn(time.Minute), Return: ReturnKey, Opaque: "o"})
			if err != nil || marked.Status != StatusOK || marked.Key != key || marked.Opaque != "o" {
				t.Errorf("mark: got %+v, %v", marked, err)
			}
			r := GetRequest{Key: key, Return: ReturnValue | ReturnCAS | ReturnTTL}
			first, err := c.MetaGet(ctx, r)
			if err != nil || !first.Stale || !first.Won || string(first.Value) != "v" || first.CAS == before.CAS || first.TTL == 0 || first.TTL > time.Minute {
				t.Errorf("first: got %+v, %v", first, err)
			}
			if second, err := c.MetaGet(ctx, r); err != nil || !second.Stale || second.Won || !second.Pending {
				t.Errorf("second: got %+v, %v", second, err)
			}
		}},
		{"stale after a set with an older CAS", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("1")}))
			old, err := c.Get(ctx, key)
			must(t, err)
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("2")}))
			set, err := c.MetaSet(ctx, SetRequest{Key: key, Value: []byte("3"), CompareCAS: old.CAS, Invalidate: true})
			if err != nil || set.Status != StatusOK {
				t.Errorf("set: got %+v, %v", set, err)
			}
			if got, err := c.MetaGet(ctx, GetRequest{Key: key, Return: ReturnValue}); err != nil || !got.Stale || !got.Won || string(got.Value) != "3" {
				t.Errorf("got %+v, %v", got, err)
			}
		}},
		{"keys of any bytes", func(t *testing.T, key string) {
			for _, odd := range []string{key + " with spaces", key + "\r\nflush_all\r\n", "\x00\x01\xff" + key, key + "世界"} {
				r := SetRequest{Key: odd, Value: []byte("odd"), EncodeKey: true}
				_, err := c.MetaSet(ctx, r)
				must(t, err)
				got, err := c.MetaGet(ctx, GetRequest{Key: odd, EncodeKey: true, Return: ReturnValue | ReturnKey})
				if err != nil || string(got.Value) != "odd" || got.Key != odd {
					t.Errorf("%q: got %+v, %v", odd, got, err)
				}
			}
			// What can be sent either way is the same item.
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("plain")}))
			got, err := c.MetaGet(ctx, GetRequest{Key: key, EncodeKey: true, Return: ReturnValue | ReturnKey})
			if err != nil || string(got.Value) != "plain" || got.Key != key {
				t.Errorf("got %+v, %v", got, err)
			}
		}},
		{"keys refused", func(t *testing.T, key string) {
			for _, bad := range []string{"", "a b", "a\r\nflush_all\r\n", strings.Repeat("x", 251)} {
				before := c.Stats().Requests
				_, err := c.Get(ctx, bad)
				wantError(t, err, ErrMalformedKey)
				for _, err := range []error{
					c.Set(ctx, Item{Key: bad}), c.Touch(ctx, bad, 0), c.Delete(ctx, bad), c.SetMulti(ctx, []Item{{Key: key}, {Key: bad}}),
				} {
					wantError(t, err, ErrMalformedKey)
				}
				_, err = c.Increment(ctx, bad, 1)
				wantError(t, err, ErrMalformedKey)
				_, err = c.Debug(ctx, bad)
				wantError(t, err, ErrMalformedKey)
				items, err := c.GetMulti(ctx, []string{key, bad})
				wantError(t, err, ErrMalformedKey)
				if items != nil || c.Stats().Requests != before {
					t.Errorf("key %q: something was sent", bad)
				}
			}
		}},
		{"debug", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("1")}))
			got, err := c.Debug(ctx, key)
			if err != nil || got["exp"] != "-1" || got["fetch"] != "no" || got["size"] == "" || got["cas"] == "" {
				t.Errorf("got %v, %v", got, err)
			}
			encoding := client(t, Config{Address: server.Addr(), EncodeKeys: true})
			for _, odd := range []string{key + " ", key + "\r\nflush_all"} {
				must(t, encoding.Set(ctx, Item{Key: odd}))
				if got, err := encoding.Debug(ctx, odd); err != nil || got["cas"] == "" {
					t.Errorf("%q: got %v, %v", odd, got, err)
				}
			}
		}},
		{"value too large", func(t *testing.T, key string) {
			must(t, c.Set(ctx, Item{Key: key, Value: []byte("old")}))
			err := c.Set(ctx, Item{Key: key, Value: make([]byte, 1<<20+1)})
			wantError(t, err, ErrValueTooLarge)
			wantValue(t, c, key, "old")
			// One mebibyte is within our limit; with key and header it is over the server's.
			wantError(t, c.Set(ctx, Item{Key: key, Value: make([]byte, 1<<20)}), ErrServerError)
			must(t, c.Set(ctx, Item{Key: key, Value: make([]byte, 1<<20-1000)}))
			if got, err := c.Get(ctx, key); err != nil || len(got.Value) != 1<<20-1000 {
				t.Errorf("got %d bytes, %v", len(got.Value), err)
			}
		}},
		{"ping and version", func(t *testing.T, _ string) {
			must(t, c.Ping(ctx))
			if v, err := c.Version(ctx); err != nil || !strings.HasPrefix(v, "1.") {
				t.Errorf("got version %q, %v", v, err)
			}
		}},
		{"a context that has ended", func(t *testing.T, key string) {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			before := c.Stats().Requests
			err := c.Set(ended, Item{Key: key})
			wantError(t, err, context.Canceled)
			wantSent(t, err, false)
			if c.Stats().Requests != before {
				t.Error("something was sent")
			}
		}},
	}
	for i, tt := range cases {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, fmt.Sprintf("behaviour-%d", i)) })
	}
	if s := c.Stats(); s.Dials != 1 || s.Conns != 1 || s.LostProtocol+s.LostNetwork+s.LostOverdue != 0 {
		t.Errorf("all of this should take one connection: %+v", s)
	}
}

func wantValue(t *testing.T, c *Client, key, want string) {
	t.Helper()
	if got, err := c.Get(background(t), key); err != nil || string(got.Value) != want {
		t.Errorf("%s: got %q, %v, want %q", key, got.Value, err, want)
	}
}

func wantCount(t *testing.T, want uint64) func(uint64, error) {
	return func(got uint64, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
}

func TestFlushAll(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	must(t, c.Set(ctx, Item{Key: "a"}))
	must(t, c.FlushAll(ctx))
	_, err := c.Get(ctx, "a")
	wantError(t, err, ErrCacheMiss)
	must(t, c.Set(ctx, Item{Key: "a"}))
	_, err = c.Get(ctx, "a")
	must(t, err)
}

func TestFlushAllForbidden(t *testing.T) {
	c, _ := real(t, "-F")
	ctx := background(t)
	must(t, c.Set(ctx, Item{Key: "a"}))
	wantError(t, c.FlushAll(ctx), ErrClientError)
	_, err := c.Get(ctx, "a")
	must(t, err)
	if s := c.Stats(); s.Dials != 1 {
		t.Errorf("the connection should have outlived it: %+v", s)
	}
}

// A server without CAS values gives 0 for each. It must not be taken for one.
func TestServerWithoutCAS(t *testing.T) {
	c, _ := real(t, "-C")
	ctx := background(t)
	must(t, c.Set(ctx, Item{Key: "a", Value: []byte("1")}))
	item, err := c.Get(ctx, "a")
	must(t, err)
	if item.CAS != 0 {
		t.Skipf("this version gives CAS values in spite of -C: %d", item.CAS)
	}
	wantError(t, c.CompareAndSwap(ctx, item), ErrInvalidRequest)
	wantError(t, c.DeleteCAS(ctx, "a", item.CAS), ErrInvalidRequest)
	wantValue(t, c, "a", "1")
}

// Values of another client that are over our limit cost their reader an error,
// and nobody the connection.
func TestValueOfOthersTooLarge(t *testing.T) {
	c, server := real(t)
	small := client(t, Config{Address: server.Addr(), MaxValueSize: 1000})
	ctx := background(t)
	must(t, c.Set(ctx, Item{Key: "big", Value: make([]byte, 300_000)}))
	must(t, c.Set(ctx, Item{Key: "limit", Value: make([]byte, 1000)}))
	_, err := small.Get(ctx, "big")
	wantError(t, err, ErrValueTooLarge)
	got, err := small.GetMulti(ctx, []string{"limit", "big", "missing"})
	wantError(t, err, ErrValueTooLarge)
	if len(got) != 1 || len(got["limit"].Value) != 1000 {
		t.Errorf("got %d items", len(got))
	}
	if s := small.Stats(); s.Dials != 1 || s.Conns != 1 {
		t.Errorf("the connection should have outlived it: %+v", s)
	}
}

// The server's own limit, met in the midst of a quiet batch.
func TestServerErrorInABatch(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	tooLarge := make([]byte, 1<<20)
	results, err := c.MetaSetMulti(ctx, []SetRequest{
		{Key: "a", Mode: ModeReplace}, {Key: "b", Value: tooLarge}, {Key: "c", Mode: ModeReplace},
		{Key: "d"}, {Key: "e", Value: tooLarge},
	})
	wantError(t, err, ErrServerError)
	if results[0].Status != StatusNotStored || results[2].Status != StatusNotStored {
		t.Errorf("got %+v", results)
	}
	if err := results[1].Err; !errors.Is(err, ErrServerError) || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("between two answers: got %v, want ErrServerError for certain", err)
	}
	for _, i := range []int{3, 4} {
		wantError(t, results[i].Err, ErrServerError, ErrOutcomeUnknown)
	}
	// Where all are answered, there is no doubt.
	results, err = c.MetaSetMulti(ctx, []SetRequest{{Key: "d", Return: ReturnCAS}, {Key: "e", Value: tooLarge}, {Key: "f"}})
	wantError(t, err, ErrServerError)
	if results[0].Err != nil || results[0].CAS == 0 || results[2].Err != nil || errors.Is(results[1].Err, ErrOutcomeUnknown) {
		t.Errorf("got %+v", results)
	}
	if s := c.Stats(); s.Dials != 1 {
		t.Errorf("the connection should have outlived it: %+v", s)
	}
}
