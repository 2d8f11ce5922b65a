package gossip

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

// settings is a Config that was checked, with its defaults filled in.
type settings struct {
	Config
	bind      netip.AddrPort
	advertise netip.AddrPort // zero: what is bound
	seeds     []seed
	allow     allowList
	pace      pace
}

// complete copies and checks a Config.
func (c Config) complete() (settings, error) {
	s := settings{Config: c}
	if s.room == nil {
		s.room = membership.CheckRoom
	}
	if c.Network < LAN || c.Network > WAN {
		return s, fmt.Errorf("gossip: Config.Network: got %v, want LAN, Local or WAN", c.Network)
	}
	s.pace = c.Network.pace()
	s.Timing = c.Timing.or(c.Network.timing())
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	steps := []func() error{
		s.Timing.validate, s.completeName, s.completeNode, s.completeSeeds, s.completeAddresses, s.completeSecurity, s.completePlacement,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *settings) completeName() error {
	if s.Cluster == "" {
		s.Cluster = DefaultCluster
	}
	if len(s.Cluster) > ledger.MaxClusterLength || !utf8.ValidString(s.Cluster) {
		return fmt.Errorf("gossip: Config.Cluster: got %d bytes, want at most %d of UTF-8", len(s.Cluster), ledger.MaxClusterLength)
	}
	if s.Name == "" && s.Node != nil {
		return fmt.Errorf("gossip: Config.Name: got nothing, want the ID of the node: it decides which keys are the node's, so it cannot be drawn at random")
	}
	if s.Name == "" {
		s.Name = fmt.Sprintf("router-%016x", rand.Uint64())
	}
	if len(s.Name) > ledger.MaxIDLength || !utf8.ValidString(s.Name) {
		return fmt.Errorf("gossip: Config.Name: got %d bytes, want at most %d of UTF-8", len(s.Name), ledger.MaxIDLength)
	}
	return nil
}

func (s *settings) completeNode() error {
	if s.Node == nil {
		return nil
	}
	n := *s.Node
	s.Node = &n
	if n.Kind == "" {
		n.Kind = membership.Redis
	}
	record := ledger.Record{ID: s.Name, Kind: n.Kind, Address: n.Address, Zone: n.Zone, Weight: cmp.Or(n.Weight, 1), State: membership.Joining, Stamp: 1}
	if err := record.Validate(); err != nil {
		return fmt.Errorf("gossip: Config.Node: %w", err)
	}
	if _, err := membership.NewView(1, record.Member()); err != nil {
		return fmt.Errorf("gossip: Config.Node: %w", err)
	}
	switch {
	case n.Server == nil:
		return fmt.Errorf("gossip: Config.Node.Server: got nil, want the server of node %q", s.Name)
	case !plausibleHTTP(n.HTTP):
		return fmt.Errorf("gossip: Config.Node.HTTP: got %q, want http://host:port or https://host:port, at most %d bytes", n.HTTP, ledger.MaxHTTPLength)
	case n.Copies < 0:
		return fmt.Errorf("gossip: Config.Node.Copies: got %d, want at least 0", n.Copies)
	}
	return nil
}

func (s *settings) completeSeeds() error {
	for _, text := range s.Seeds {
		seed, err := parseSeed(text)
		if err != nil {
			return err
		}
		s.seeds = append(s.seeds, seed)
	}
	switch {
	case len(s.seeds) > 0 || s.Node != nil && s.Node.Bootstrap:
		return nil
	case s.Node == nil:
		return fmt.Errorf("gossip: Config.Seeds: got none, want the address of at least one member to ask for the fleet")
	default:
		return fmt.Errorf("gossip: Config.Seeds: got none, want the address of at least one member, or Node.Bootstrap for the first node of a new fleet")
	}
}

func (s *settings) completeAddresses() error {
	port := uint16(0)
	if s.Node != nil {
		port = DefaultPort
	}
	s.bind = netip.AddrPortFrom(netip.IPv4Unspecified(), port)
	if s.Network == Local {
		s.bind = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	}
	var err error
	if s.Bind != "" {
		if s.bind, err = parseAddress("Bind", s.Bind, port); err != nil {
			return err
		}
	}
	if s.Advertise != "" {
		if s.advertise, err = parseAddress("Advertise", s.Advertise, 0); err != nil {
			return err
		}
		if s.advertise.Addr().IsUnspecified() {
			return fmt.Errorf("gossip: Config.Advertise: got %q, want one address that others can reach", s.Advertise)
		}
	}
	if s.Transport == nil && s.bind.Addr() == netip.IPv6Unspecified() && s.Advertise == "" {
		return fmt.Errorf("gossip: Config.Advertise: got nothing, want the IPv6 address that others reach, since Bind is all addresses")
	}
	return nil
}

func (s *settings) completeSecurity() error {
	s.Keys = slices.Clone(s.Keys)
	for i, key := range s.Keys {
		s.Keys[i] = slices.Clone(key)
		if err := checkKey(key); err != nil {
			return fmt.Errorf("gossip: Config.Keys[%d]: %w", i, err)
		}
	}
	if len(s.Label) > memberlist.LabelMaxSize {
		return fmt.Errorf("gossip: Config.Label: got %d bytes, want at most %d", len(s.Label), memberlist.LabelMaxSize)
	}
	for _, p := range slices.Concat(s.AllowGossip, s.AllowServers) {
		if !p.IsValid() {
			return fmt.Errorf("gossip: Config.AllowGossip, AllowServers: got an invalid network, want an address with a length, such as 10.0.0.0/8")
		}
	}
	s.AllowGossip = slices.Clone(s.AllowGossip)
	s.allow = newAllowList(s.AllowServers, s.AllowServerNames)
	if s.Node != nil && !s.allow.allows(s.Node.Address) {
		return fmt.Errorf("gossip: Config.Node.Address: got %q, which AllowServers and AllowServerNames do not allow", s.Node.Address)
	}
	return nil
}

func (s *settings) completePlacement() error {
	if p := s.Placement; p.VirtualNodes == 0 && p.Hasher.Function == 0 && p.Hasher.Seed == 0 {
		s.Placement.Hasher.HashTags = true // as a router's zero PlacementConfig
	}
	if err := s.fit(ring.Nodes("any")); err != nil {
		return fmt.Errorf("gossip: Config.Placement: %w", err)
	}
	if s.Node == nil {
		return nil
	}
	if err := s.fitAlone(s.Name, cmp.Or(s.Node.Weight, 1)); err != nil {
		return fmt.Errorf("gossip: Config.Node.Weight: %w", err)
	}
	return nil
}

// fit fails if there is no ring of these nodes: it, or one of them, would have too
// many tokens, or one of them none.
func (s *settings) fit(nodes []ring.Node) error {
	if err := s.room(nodes, s.Placement.VirtualNodes); err != nil {
		return err
	}
	_, err := ring.FingerprintOf(nodes, s.Placement)
	return err
}

// fitAlone fails if a node of that weight is too much or too little for any ring.
func (s *settings) fitAlone(id string, weight float64) error {
	if weight == 1 { // it was tried with the placement, and most have it
		return nil
	}
	return s.fit([]ring.Node{{ID: id, Weight: weight}})
}

// seed is a member to ask first.
type seed struct {
	host string // a name or an IP address
	port uint16
}

func (s seed) String() string { return net.JoinHostPort(s.host, strconv.Itoa(int(s.port))) }

func parseSeed(text string) (seed, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return seed{ip.String(), DefaultPort}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil { // no port, or no address
		host, port, err = net.SplitHostPort(text + ":" + strconv.Itoa(DefaultPort))
	}
	number, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || host == "" || number == 0 {
		return seed{}, fmt.Errorf("gossip: Config.Seeds: got %q, want host:port", text)
	}
	return seed{host, uint16(number)}, nil
}

// parseAddress reads an IP address with a port, or without one for the default.
// A host name would not do: memberlist listens on all addresses for what it
// cannot parse.
func parseAddress(field, text string, port uint16) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip.Unmap(), port), nil
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Addr().Zone() != "" {
		return a, fmt.Errorf("gossip: Config.%s: got %q, want an IP address and a port, such as 10.0.0.1:%d", field, text, DefaultPort)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}
