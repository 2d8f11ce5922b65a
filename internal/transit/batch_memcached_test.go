package transit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
)

// waitUntil polls for what the server does by its own clock.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

// TestStoppedMemcachedMover: what happens at N while a mover is stopped between
// two steps, with no clock but the server's to hold it back.
func TestStoppedMemcachedMover(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	set := func(key, value string) error { return n.Client.Set(ctx, memcache.Item{Key: key, Value: []byte(value)}) }
	bury := func(kind Kind) func(string) error {
		return func(key string) error { _, err := n.Bury(ctx, kind, key); return err }
	}
	expires := func(key string) error {
		waitUntil(t, "the reservation ends", func() bool {
			look, err := n.Look(ctx, key)
			must(t, err)
			return !look.Tombstone
		})
		return nil
	}
	for i, c := range []struct {
		name    string
		before  func(key string) error
		then    func(key string) error
		want    Outcome
		present string // at N in the end
	}{
		{"nothing", nil, nil, Copied, "old"},
		{"time passes", nil, expires, Blocked, ""},
		{"time passes, and the key is written and deleted", nil, func(key string) error {
			_, err := n.Client.MetaDelete(ctx, memcache.DeleteRequest{Key: key})
			return errors.Join(expires(key), set(key, "new"), err, n.Client.Delete(ctx, key))
		}, Blocked, ""},
		{"it is deleted", nil, func(key string) error { return n.Client.Delete(ctx, key) }, Blocked, ""},
		{"it is buried", nil, bury(Closed), Blocked, ""},
		{"it is written at O", nil, bury(Open), Blocked, ""},
		{"it is written", nil, func(key string) error { return set(key, "new") }, Blocked, "new"},
		{"it was written before", func(key string) error { return set(key, "new") }, nil, Present, "new"},
		{"it was buried before", bury(Closed), nil, Blocked, ""},
		{"it was written at O before", bury(Open), nil, Copied, "old"},
		{"it was written at O before and after", bury(Open), bury(Open), Blocked, ""},
	} {
		key := fmt.Sprint("key", i)
		must(t, n.SetFence(ctx, fence7))
		must(t, o.Client.Set(ctx, memcache.Item{Key: key, Value: []byte("old"), TTL: time.Hour, Flags: 3}))
		if c.before != nil {
			must(t, c.before(key))
		}
		looks, fenced, err := n.ReserveFenced(ctx, fence7, key)
		if err != nil || !fenced {
			t.Fatal(fenced, err)
		}
		values, err := o.TakeAll(ctx, key)
		must(t, err)
		if c.then != nil {
			must(t, c.then(key))
		}
		looks[0].At = time.Now() // the clock of this machine did not see it
		results, err := n.StoreAll(ctx, looks, values)
		must(t, err)
		there, err := n.Take(ctx, key)
		if err != nil || results[0].Outcome != c.want || string(there.Item.Value) != c.present {
			t.Errorf("%s: %v, %v, and N has %q; want %v", c.name, results, err, there.Item.Value, c.want)
		}
		if c.want == Copied && (there.Item.Flags != 3 || there.Item.TTL < time.Hour-time.Minute || there.Item.TTL > time.Hour) {
			t.Errorf("%s: %+v", c.name, there.Item)
		}
	}
}

// TestReserveIsFenced: nothing is reserved where the mover is not let in, and what
// was reserved before the fence went leads nowhere.
func TestReserveIsFenced(t *testing.T) {
	_, n := twoMemcached(t)
	ctx := t.Context()
	for name, do := range map[string]func() error{
		"none":               func() error { return nil },
		"another transition": func() error { return n.SetFence(ctx, Fence{Transition: 8}) },
		"another fleet":      func() error { return n.SetFence(ctx, Fence{Prefix: "x", Transition: 7}) },
	} {
		must(t, do())
		looks, fenced, err := n.ReserveFenced(ctx, fence7, "key")
		if fenced || err != nil || looks != nil {
			t.Errorf("%s: %v, %v", name, fenced, err)
		}
		if look, err := n.Look(ctx, "key"); look.Tombstone || err != nil {
			t.Errorf("%s: something was left: %+v, %v", name, look, err)
		}
	}
}

func TestMemcachedBatches(t *testing.T) {
	o, n := twoMemcached(t)
	ctx := t.Context()
	must(t, n.SetFence(ctx, fence7))
	o.EncodeKey, n.EncodeKey = true, true
	keys := []string{"same", "changed", "deleted", "with spaces", "never was"}
	for _, key := range keys[:4] {
		_, err := o.Client.MetaSet(ctx, memcache.SetRequest{Key: key, EncodeKey: true, Value: []byte("v")})
		must(t, err)
	}
	looks, fenced, err := n.ReserveFenced(ctx, fence7, keys...)
	if err != nil || !fenced {
		t.Fatal(fenced, err)
	}
	values, err := o.TakeAll(ctx, keys...)
	must(t, err)
	results, err := n.StoreAll(ctx, looks, values)
	must(t, err)
	must(t, o.Client.Set(ctx, memcache.Item{Key: "changed", Value: []byte("changed")}))
	must(t, o.Client.Delete(ctx, "deleted"))
	removed, err := o.RemoveAll(ctx, values...)
	must(t, err)
	want := []struct{ stored, removed Outcome }{{Copied, Removed}, {Copied, Changed}, {Copied, Gone}, {Copied, Removed}, {Gone, Gone}}
	for i, key := range keys {
		if results[i].Outcome != want[i].stored || removed[i].Outcome != want[i].removed {
			t.Errorf("%s: %v, %v, want %v", key, results[i], removed[i], want[i])
		}
	}
	results, err = n.StoreAll(ctx, looks[4:], values[4:])
	removed, err2 := o.RemoveAll(ctx)
	if len(results) != 1 || len(removed) != 0 || err != nil || err2 != nil {
		t.Errorf("nothing to do: %v, %v, %v, %v", results, err, removed, err2)
	}
}

// An onWrite is a connection that calls before for what is about to be sent.
type onWrite struct {
	net.Conn
	before func(sent []byte)
}

func (c onWrite) Write(p []byte) (int, error) {
	c.before(p)
	return c.Conn.Write(p)
}

// TestFenceGoesMeanwhile: a mover that was stopped between its first look at the
// fence and its reservation is not let in by what it saw.
func TestFenceGoesMeanwhile(t *testing.T) {
	ctx, server := t.Context(), servertest.Memcached(t)
	client, err := memcache.New(memcache.Config{Address: server.Addr()})
	must(t, err)
	defer client.Close()
	n := Memcached{Client: client}
	must(t, n.SetFence(ctx, fence7))
	stopped, err := memcache.New(memcache.Config{Address: server.Addr(), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		return onWrite{nc, func(sent []byte) {
			if bytes.Contains(sent, []byte("ms key")) {
				if err := n.DropFence(context.WithoutCancel(ctx), ""); err != nil {
					t.Error(err)
				}
			}
		}}, err
	}})
	must(t, err)
	defer stopped.Close()
	if _, fenced, err := (Memcached{Client: stopped}).ReserveFenced(ctx, fence7, "key"); fenced || err != nil {
		t.Errorf("let in: %v, %v", fenced, err)
	}
}
