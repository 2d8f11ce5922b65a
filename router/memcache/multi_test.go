package memcache

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// More than a few flights' worth, over several connections.
func TestMulti(t *testing.T) {
	_, server := real(t)
	c := client(t, Config{Address: server.Addr(), EncodeKeys: true})
	ctx := background(t)
	const n = 6*maxFlight + 17
	var keys []string
	var items []Item
	for i := range n {
		key := fmt.Sprintf("key %d", i) // with a space: encoded
		keys = append(keys, key)
		if i%3 != 0 {
			items = append(items, Item{Key: key, Value: fmt.Appendf(nil, "value %d", i), Flags: uint32(i)})
		}
	}
	must(t, c.SetMulti(ctx, items))
	got, err := c.GetMulti(ctx, append(keys, keys[1])) // one of them twice
	must(t, err)
	if len(got) != len(items) {
		t.Errorf("got %d items, want %d", len(got), len(items))
	}
	for _, want := range items {
		if it := got[want.Key]; string(it.Value) != string(want.Value) || it.Flags != want.Flags || it.Key != want.Key || it.CAS == 0 {
			t.Fatalf("%s: got %+v, want %+v", want.Key, it, want)
		}
	}

	// Deletion with the CAS of every item, every other one of which is wrong.
	var deletes []DeleteRequest
	for i, item := range items {
		deletes = append(deletes, DeleteRequest{Key: item.Key, CompareCAS: got[item.Key].CAS + uint64(i%2)*1e9, Return: ReturnKey})
	}
	results, err := c.MetaDeleteMulti(ctx, append(deletes, DeleteRequest{Key: "never there"}))
	must(t, err)
	if len(results) != len(deletes)+1 || results[len(deletes)].Status != StatusNotFound {
		t.Fatalf("got %d results, the last %+v", len(results), results[len(results)-1])
	}
	for i, r := range results[:len(deletes)] {
		if want := []Status{StatusOK, StatusExists}[i%2]; r.Status != want || r.Key != items[i].Key {
			t.Fatalf("delete of %s: got %+v, want %v", items[i].Key, r, want)
		}
	}
	left, err := c.GetMulti(ctx, keys)
	if err != nil || len(left) != len(items)/2 {
		t.Errorf("got %d items, %v, want %d", len(left), err, len(items)/2)
	}
}

// The mover's reads: all that a copy needs, for many keys at once.
func TestMetaGetMultiFlags(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	must(t, c.Set(ctx, Item{Key: "a", Value: []byte("1"), Flags: 3}))
	must(t, c.Set(ctx, Item{Key: "b", Value: []byte("22"), TTL: 1e12}))
	all := ReturnValue | ReturnKey | ReturnFlags | ReturnTTL | ReturnCAS
	results, err := c.MetaGetMulti(ctx, []GetRequest{
		{Key: "a", Return: all}, {Key: "none", Return: all}, {Key: "b", Return: all}, {Key: "a", Return: ReturnSize}, {Key: "none"},
		{Key: "new", Vivify: ExpireIn(1e12), Return: ReturnValue},
	})
	must(t, err)
	a, b := results[0], results[2]
	if string(a.Value) != "1" || a.ClientFlags != 3 || a.TTL != 0 || a.CAS == 0 || a.Key != "a" {
		t.Errorf("a: got %+v", a)
	}
	if string(b.Value) != "22" || b.TTL == 0 || b.Key != "b" {
		t.Errorf("b: got %+v", b)
	}
	if r := results[3]; r.Status != StatusOK || r.Size != 1 || r.Value != nil {
		t.Errorf("size of a: got %+v", r)
	}
	if results[1].Status != StatusMiss || results[4].Status != StatusMiss {
		t.Errorf("misses: got %+v, %+v", results[1], results[4])
	}
	if !results[5].Won {
		t.Errorf("a lease in a batch: got %+v", results[5])
	}
}

// Set, condition by condition, in one batch.
func TestMetaSetMultiModes(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	must(t, c.Set(ctx, Item{Key: "old"}))
	old, err := c.Get(ctx, "old")
	must(t, err)
	for _, returns := range []Return{0, ReturnCAS} { // quiet, and not
		results, err := c.MetaSetMulti(ctx, []SetRequest{
			{Key: fmt.Sprint("new", returns), Mode: ModeAdd, Return: returns},
			{Key: "old", Mode: ModeAdd, Return: returns},
			{Key: "missing", CompareCAS: 1, Return: returns},
			{Key: "old", CompareCAS: old.CAS + 1e9, Return: returns},
			{Key: "other", Value: []byte("MN\r\n"), Return: returns},
		})
		must(t, err)
		for i, want := range []Status{StatusOK, StatusNotStored, StatusNotFound, StatusExists, StatusOK} {
			if results[i].Status != want || (want == StatusOK && returns != 0) != (results[i].CAS != 0) {
				t.Errorf("returns %b, request %d: got %+v, want %v", returns, i, results[i], want)
			}
		}
	}
}

// A batch of large values does not pile up in memory: its flights wait for each
// other.
func TestMultiLargeValues(t *testing.T) {
	c, _ := real(t, "-m", "256")
	ctx := background(t)
	value := make([]byte, 1<<20-1000)
	var items []Item
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprint("large", i))
		items = append(items, Item{Key: keys[i], Value: value})
	}
	must(t, c.SetMulti(ctx, items))
	got, err := c.GetMulti(ctx, keys)
	must(t, err)
	for _, key := range keys {
		if len(got[key].Value) != len(value) {
			t.Errorf("%s: got %d bytes", key, len(got[key].Value))
		}
	}
}

func TestMultiOfNothing(t *testing.T) {
	c := client(t, Config{Address: "127.0.0.1:1"}) // nobody there, and nobody asked
	ctx := context.Background()
	if got, err := c.GetMulti(ctx, nil); got == nil || len(got) != 0 || err != nil {
		t.Errorf("got %v, %v, want an empty map", got, err)
	}
	must(t, c.SetMulti(ctx, nil))
	if got, err := c.MetaDeleteMulti(ctx, nil); len(got) != 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// A batch is quiet: only hits of a get, and only what was not stored of a set,
// are answered, and an mn ends it. One exchange takes all of them.
func TestMultiIsQuiet(t *testing.T) {
	var asked []string
	done := make(chan struct{})
	c := client(t, Config{Address: fake(t, func(s *session) {
		defer close(done)
		for _, reply := range []string{"VA 1 f0 c1 O1\r\nx\r\nMN\r\n", "NS O0\r\nMN\r\n", "MN\r\n"} {
			for line := ""; line != "mn"; {
				line = s.request()
				asked = append(asked, line)
			}
			s.send(reply)
		}
	})})
	ctx := background(t)
	items, err := c.GetMulti(ctx, []string{"a", "b", "c"})
	if err != nil || len(items) != 1 || string(items["b"].Value) != "x" {
		t.Errorf("got %v, %v", items, err)
	}
	results, err := c.MetaSetMulti(ctx, []SetRequest{{Key: "a", Mode: ModeReplace}, {Key: "b"}})
	if err != nil || results[0].Status != StatusNotStored || results[1].Status != StatusOK {
		t.Errorf("got %+v, %v", results, err)
	}
	must(t, c.SetMulti(ctx, []Item{{Key: "a", Value: []byte("mn\r\n")}}))
	<-done
	want := []string{
		"mg a v c f O0 q", "mg b v c f O1 q", "mg c v c f O2 q", "mn",
		"ms a 0 MR O0 q", "ms b 0 O1 q", "mn", "ms a 4 O0 q", "mn",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("sent %q, want %q", asked, want)
	}
}
