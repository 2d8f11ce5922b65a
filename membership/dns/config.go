package dns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringway/ringway/membership"
)

// Resolver is what is asked; *net.Resolver is one.
type Resolver interface {
	// LookupSRV returns the SRV records of _service._proto.name, or of name itself
	// if service and proto are empty.
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)

	// LookupHost returns the addresses of a host.
	LookupHost(ctx context.Context, host string) (addresses []string, err error)
}

// Config says what to look up. Either Hosts is required, or Name; all else may
// be zero.
type Config struct {
	// Name is looked up for SRV records or, with a Port, for addresses.
	Name string

	// Service and Proto come before the Name of SRV records: "redis" and "tcp"
	// for _redis._tcp.NAME. Both empty: Name is the whole name.
	Service, Proto string

	// Port of the nodes where Name is looked up for addresses.
	Port int

	// AddressesAreIDs takes each address of Name, with the Port, for a node of its
	// own. A node that gets another address is then another node: its keys are
	// lost to it, and so are those of its neighbours that move. For fleets whose
	// addresses never change.
	AddressesAreIDs bool

	// Hosts are the nodes: "cache-0.cache.svc:6379", …
	Hosts []string

	// Kind of the nodes; empty means Redis.
	Kind membership.Kind

	// IDOf returns the ID of an SRV target, from its host name in small letters
	// without the dot at the end. nil: "host:port". Two targets must not have
	// the same one.
	IDOf func(host string, port int) string

	// IgnoreWeights gives each SRV target weight 1.
	IgnoreWeights bool

	// Interval between two look-ups, 0 means 30 s; each is up to a tenth shorter
	// or longer, so that a fleet's clients do not ask in step.
	Interval time.Duration

	// Timeout of the look-ups of one interval; 0 means 5 s.
	Timeout time.Duration

	// Resolver is asked; nil means net.DefaultResolver.
	Resolver Resolver

	// OnError is told what Next cannot return: look-ups that fail and answers that
	// are not believed, each once until it is another one. It is called from one
	// goroutine, and must not close the source. nil: nobody is told.
	OnError func(error)
}

func (c Config) withDefaults() (Config, error) {
	if err := c.check(); err != nil {
		return c, err
	}
	c.Hosts = slices.Clone(c.Hosts)
	for i, host := range c.Hosts {
		c.Hosts[i] = strings.ToLower(host)
	}
	if c.Interval == 0 {
		c.Interval = 30 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return c, nil
}

// check refuses what contradicts itself: a field without effect would mean that
// the caller expects something else.
func (c Config) check() error {
	wrong := func(field string, got any, want string) error {
		return fmt.Errorf("dns: config %s: got %v, want %s", field, got, want)
	}
	srv := c.Service != "" || c.Proto != ""
	switch {
	case c.Name == "" && len(c.Hosts) == 0:
		return wrong("Name", "nothing", "a name, or Hosts")
	case c.Name != "" && len(c.Hosts) > 0:
		return wrong("Hosts", "some beside a Name", "one of the two")
	case len(c.Hosts) > 0 && (srv || c.Port != 0):
		return wrong("Hosts", "some beside Service, Proto or Port", "the port in each host")
	case srv && (c.Service == "" || c.Proto == ""):
		return wrong("Service and Proto", fmt.Sprintf("%q and %q", c.Service, c.Proto), "both or none")
	case srv && c.Port != 0:
		return wrong("Port", fmt.Sprint(c.Port, " beside a Service"), "0: SRV records name the port")
	case c.Port < 0 || c.Port > 65535:
		return wrong("Port", c.Port, "1 to 65535, or 0 for SRV records")
	case c.AddressesAreIDs && c.Port == 0:
		return wrong("AddressesAreIDs", "true without a Port", "it for the addresses of a Name")
	case (c.Port != 0 || len(c.Hosts) > 0) && (c.IDOf != nil || c.IgnoreWeights):
		return wrong("IDOf and IgnoreWeights", "one without SRV records", "none")
	case c.Kind == membership.Router:
		return wrong("Kind", c.Kind, "redis or memcached")
	case c.Interval < 0:
		return wrong("Interval", c.Interval, "0 or more")
	case c.Timeout < 0:
		return wrong("Timeout", c.Timeout, "0 or more")
	}
	for _, host := range c.Hosts {
		if name, _, err := net.SplitHostPort(host); err != nil || strings.Contains(host, "/") || name == "" {
			return wrong("Hosts", fmt.Sprintf("%q", host), "host:port")
		}
	}
	if _, err := membership.NewView(0, c.fixed()...); err != nil {
		return fmt.Errorf("dns: config Hosts, Name, Port or Kind: %w", err)
	}
	return nil
}

// fixed returns the members that follow from the configuration alone: those of
// Hosts, or the one of a Name with a Port.
func (c Config) fixed() []membership.Member {
	hosts := c.Hosts
	if c.Port != 0 {
		hosts = []string{net.JoinHostPort(c.Name, strconv.Itoa(c.Port))}
	}
	members := make([]membership.Member, len(hosts))
	for i, host := range hosts {
		address := strings.ToLower(host)
		members[i] = c.member(strings.Replace(address, ".:", ":", 1), address, 1) // "a.b." is "a.b"
	}
	return members
}

func (c Config) member(id, address string, weight float64) membership.Member {
	return membership.Member{ID: id, Kind: c.Kind, Address: address, Weight: weight}
}
