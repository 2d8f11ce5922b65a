// Package memcacheselector gives gomemcache the placement of this project's
// ring, for programs that stay with github.com/bradfitz/gomemcache:
//
//	selector, err := memcacheselector.New(ring.Config{},
//		memcacheselector.Server{ID: "cache-a", Address: "10.0.0.1:11211"},
//		memcacheselector.Server{ID: "cache-b", Address: "10.0.0.2:11211"})
//	client := memcache.NewFromSelector(selector)
//
// A Selector is a memcache.ServerSelector by its methods; the package does not
// import gomemcache. Keys go where router.NewMemcached sends them in a fleet of
// the same IDs and weights, if the Config has hash tags on as the router does.
package memcacheselector

import (
	"fmt"
	"net"
	"strings"

	"github.com/ringway/ringway/ring"
)

// Server is one memcached server. The ID decides which keys are its own; the
// address ("host:port", or "unix:///path") may change.
type Server struct {
	ID      string  // 1 to 255 bytes, and no other server's
	Address string  // where it is
	Weight  float64 // its share, in proportion to those of the others; 0 means 1
	Zone    string  // makes no difference to who owns a key
}

// Selector picks servers by a ring. It does not change and is safe for
// concurrent use: for another fleet make another Selector and client.
type Selector struct {
	ring  *ring.Ring
	addrs []net.Addr // of the ring's nodes, by position
}

// New returns a selector for these servers. It fails for an address that is
// neither host:port nor a Unix socket, and with the *ring.InputError of
// ring.New. Host names are resolved by gomemcache when it dials, each time.
func New(cfg ring.Config, servers ...Server) (*Selector, error) {
	nodes := make([]ring.Node, len(servers))
	byID := make(map[string]net.Addr, len(servers))
	for i, s := range servers {
		addr, err := parse(s.Address)
		if err != nil {
			return nil, fmt.Errorf("memcacheselector: server %q: %w", s.ID, err)
		}
		if s.Weight == 0 {
			s.Weight = 1
		}
		nodes[i] = ring.Node{ID: s.ID, Weight: s.Weight, Zone: s.Zone}
		byID[s.ID] = addr
	}
	r, err := ring.New(nodes, cfg)
	if err != nil {
		return nil, fmt.Errorf("memcacheselector: %w", err)
	}
	selector := &Selector{ring: r}
	for _, n := range r.Nodes() {
		selector.addrs = append(selector.addrs, byID[n.ID])
	}
	return selector, nil
}

// address is a net.Addr without pointers: gomemcache groups the keys of a
// multi-get in a map by address, where equal servers must be equal keys.
type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

func parse(text string) (net.Addr, error) {
	if path, isUnix := strings.CutPrefix(text, "unix://"); isUnix && path != "" {
		return address{"unix", path}, nil
	}
	if host, port, err := net.SplitHostPort(text); err != nil || host == "" || strings.Trim(port, "0123456789") != "" || port == "" {
		return nil, fmt.Errorf("address: got %q, want host:port or unix:///path", text)
	}
	return address{"tcp", text}, nil
}

// PickServer returns the address of the server that owns the key: the same value
// every time. The error is always nil.
func (s *Selector) PickServer(key string) (net.Addr, error) {
	return s.addrs[s.ring.OwnerIndex(key)], nil
}

// Each calls f with the address of every server, in the order of their IDs,
// until it fails, and returns that error.
func (s *Selector) Each(f func(net.Addr) error) error {
	for _, addr := range s.addrs {
		if err := f(addr); err != nil {
			return err
		}
	}
	return nil
}
