package memcacheselector

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPicksTheOwner(t *testing.T) {
	s, err := New(ring.Config{}, Server{ID: "b", Address: "10.0.0.2:11211", Weight: 2}, Server{ID: "a", Address: "unix:///run/a.sock"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ring.New([]ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}}, ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "unix /run/a.sock", "b": "tcp 10.0.0.2:11211"}
	seen := make(map[net.Addr]int) // as gomemcache's multi-get groups keys
	for i := range 100 {
		key := fmt.Sprint("key", i)
		addr, err := s.PickServer(key)
		if err != nil || addr.Network()+" "+addr.String() != want[r.Owner(key).ID] {
			t.Errorf("%s: got %v, %v; its owner is %s", key, addr, err, r.Owner(key).ID)
		}
		seen[addr]++
	}
	if len(seen) != 2 {
		t.Errorf("two servers, %d different addresses: a multi-get would not batch", len(seen))
	}
}

func TestEach(t *testing.T) {
	s, err := New(ring.Config{}, Server{ID: "b", Address: "h:2"}, Server{ID: "a", Address: "h:1"}, Server{ID: "c", Address: "h:3"})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	stop := errors.New("stop")
	err = s.Each(func(a net.Addr) error {
		all = append(all, a.String())
		if len(all) == 2 {
			return stop
		}
		return nil
	})
	if err != stop || strings.Join(all, " ") != "h:1 h:2" {
		t.Errorf("got %v, %v", all, err)
	}
	if err := s.Each(func(net.Addr) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		servers []Server
		want    string
	}{
		{nil, "memcacheselector: ring: number of nodes: got 0, want at least one"},
		{[]Server{{ID: "a", Address: "h"}}, `memcacheselector: server "a": address: got "h", want host:port or unix:///path`},
		{[]Server{{ID: "a", Address: "unix://"}}, `memcacheselector: server "a": address: got "unix://", want host:port or unix:///path`},
		{[]Server{{ID: "a", Address: "h:1"}, {ID: "a", Address: "h:2"}}, `memcacheselector: ring: node ID given twice: got "a", want every ID once`},
	} {
		if s, err := New(ring.Config{}, c.servers...); s != nil || err == nil || err.Error() != c.want {
			t.Errorf("%v: got %v, %v\nwant %s", c.servers, s, err, c.want)
		}
	}
}

func TestPickServerDoesNotAllocate(t *testing.T) {
	s, err := New(ring.Config{}, Server{ID: "a", Address: "h:1"}, Server{ID: "b", Address: "h:2"})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { s.PickServer("user:1234567890") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
