package bench_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/adapter/memcacheselector"
	meta "github.com/ringway/ringway/router/memcache"
)

// patience bounds what waits for a server. No test waits for it to pass.
const patience = 30 * time.Second

// ringConfig is what the router has by default, given to the selector.
var ringConfig = ring.Config{Hasher: ring.Hasher{HashTags: true}}

// fleet is three memcacheds, one of them on a Unix socket, and both clients over
// them.
type fleet struct {
	probes   []*probe // of the servers
	selector *memcacheselector.Selector
	theirs   *memcache.Client
	ours     *router.Memcached
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	f := &fleet{}
	var shards []memcacheselector.Server
	var members []membership.Member
	for i := range 3 {
		server := servertest.Start(t, servers.Config{Kind: servers.Memcached, Unix: i == 0})
		id, address := fmt.Sprintf("node%d", i), server.Addr()
		if i == 0 {
			address = "unix://" + address
		}
		f.probes = append(f.probes, newProbe(t, server))
		shards = append(shards, memcacheselector.Server{ID: id, Address: address})
		members = append(members, membership.Member{ID: id, Kind: membership.Memcached, Address: address})
	}
	var err error
	if f.selector, err = memcacheselector.New(ringConfig, shards...); err != nil {
		t.Fatal(err)
	}
	f.theirs = memcache.NewFromSelector(f.selector)
	f.theirs.Timeout = patience
	t.Cleanup(func() { f.theirs.Close() })
	source, err := membership.Static(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	f.ours, err = router.NewMemcached(t.Context(), router.Config{Source: source, Node: router.NodeConfig{ReadTimeout: patience}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.ours.Close() })
	return f
}

// TestSameAsGomemcache makes every call through both clients, each time on
// empty servers: they return the same values and errors, and leave the same
// bytes, flags and times to live on the same servers.
func TestSameAsGomemcache(t *testing.T) {
	f := startFleet(t)
	met := make(map[error]bool)
	for _, call := range calls {
		their := f.outcome(theirs{f.theirs}, call)
		met[their.err] = true
		our := f.outcome(ours{t.Context(), f.ours}, call)
		// Of a multi-get that fails, the router gives what the nodes gave that
		// did not; gomemcache in some cases nothing.
		if their.err == nil && our.result != their.result {
			t.Errorf("%s: router.Memcached returns\n%s\ngomemcache\n%s", call.name, our.result, their.result)
		}
		if why := differ(their.err, our.err); why != "" {
			t.Errorf("%s: router.Memcached fails with %v, gomemcache with %v: %s", call.name, our.err, their.err, why)
		}
		if our.stored != their.stored {
			t.Errorf("%s: router.Memcached leaves\n%s\ngomemcache\n%s", call.name, our.stored, their.stored)
		}
	}
	for _, same := range sameErrors {
		if !met[same.theirs] {
			t.Errorf("no call failed with %q: the table does not test it", same.theirs)
		}
	}
}

// outcome is what a call returned, and what is on the servers after it.
type outcome struct {
	result string
	err    error
	stored string
}

func (f *fleet) outcome(c cache, call call) (o outcome) {
	for _, p := range f.probes {
		p.flush()
	}
	o.result, o.err = call.do(c)
	for i, p := range f.probes {
		for _, item := range p.dump(storableKeys()) {
			o.stored += fmt.Sprintf("node%d: %s\n", i, item)
		}
	}
	return o
}

// sameErrors are the errors of gomemcache, and ours that mean the same.
var sameErrors = []struct{ theirs, ours error }{
	{memcache.ErrCacheMiss, router.ErrCacheMiss},
	{memcache.ErrCASConflict, router.ErrCASConflict},
	{memcache.ErrNotStored, router.ErrNotStored},
	{memcache.ErrMalformedKey, router.ErrMalformedKey},
}

// differ says in which way our error is another one than theirs, "" if it is
// not.
func differ(their, our error) string {
	if their == nil || our == nil {
		if their != our {
			return "one of them does not fail"
		}
		return ""
	}
	for _, same := range sameErrors {
		if errors.Is(their, same.theirs) {
			if !errors.Is(our, same.ours) {
				return fmt.Sprintf("want what matches %q", same.ours)
			}
			return ""
		}
	}
	// What the server says of bad arithmetic has no error value in gomemcache.
	if strings.HasPrefix(their.Error(), "memcache: client error: ") && errors.Is(our, meta.ErrClientError) {
		return ""
	}
	return "an error that this test does not know"
}

// TestDiffer makes sure that the comparison of errors can fail.
func TestDiffer(t *testing.T) {
	for _, c := range []struct {
		their, our error
		same       bool
	}{
		{nil, nil, true},
		{memcache.ErrCacheMiss, fmt.Errorf("node a: %w", router.ErrCacheMiss), true},
		{errors.New("memcache: client error: not a number"), meta.ErrClientError, true},
		{nil, router.ErrCacheMiss, false},
		{memcache.ErrCacheMiss, nil, false},
		{memcache.ErrCacheMiss, router.ErrNotStored, false},
		{errors.New("memcache: client error: not a number"), router.ErrNotStored, false},
		{io.EOF, io.EOF, false},
	} {
		if why := differ(c.their, c.our); (why == "") != c.same {
			t.Errorf("%v and %v: got %q, want the same: %t", c.their, c.our, why, c.same)
		}
	}
}

// TestSelectorInGomemcache holds the selector to what gomemcache makes of it:
// each key goes to its owner on the ring, a multi-get sends one request to each
// server, and what concerns all servers reaches all.
func TestSelectorInGomemcache(t *testing.T) {
	f := startFleet(t)
	byRing, err := ring.New(ring.Nodes("node0", "node1", "node2"), ringConfig)
	if err != nil {
		t.Fatal(err)
	}
	requests := countRequests(f.theirs)
	owners := make(map[int]int)
	for _, e := range several() {
		if err := (theirs{f.theirs}).store("set", e); err != nil {
			t.Fatal(err)
		}
		owner := byRing.OwnerIndex(e.key)
		owners[owner]++
		if !f.probes[owner].has(e.key) {
			t.Errorf("%s: its owner on the ring, node%d, does not have it", e.key, owner)
		}
	}
	if len(owners) != len(f.probes) {
		t.Fatalf("keys by owner: %v, want some for each of %d servers", owners, len(f.probes))
	}
	found, err := f.theirs.GetMulti(keysOf(several()))
	if err != nil || len(found) != len(several()) {
		t.Errorf("got %d items, %v; want %d", len(found), err, len(several()))
	}
	if got := requests("gets "); len(got) != len(f.probes) {
		t.Errorf("a multi-get of keys on %d servers sent these requests, want one to each: %v", len(f.probes), got)
	}
	if err := f.theirs.Ping(); err != nil {
		t.Error(err)
	}
	if err := f.theirs.FlushAll(); err != nil {
		t.Error(err)
	}
	for i, p := range f.probes {
		if got := p.dump(storableKeys()); len(got) != 0 {
			t.Errorf("node%d after FlushAll: %v", i, got)
		}
	}
}

// countRequests has the client's connections note what is written to them. The
// function that it returns gives those writes that begin with the prefix.
func countRequests(c *memcache.Client) func(prefix string) []string {
	var mu sync.Mutex // guards all
	var all []string
	c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		note := func(p []byte) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, string(p))
		}
		return notedConn{conn, note}, err
	}
	return func(prefix string) (matching []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, request := range all {
			if strings.HasPrefix(request, prefix) {
				matching = append(matching, request)
			}
		}
		return matching
	}
}

type notedConn struct {
	net.Conn
	note func([]byte)
}

func (c notedConn) Write(p []byte) (int, error) {
	c.note(p)
	return c.Conn.Write(p)
}
