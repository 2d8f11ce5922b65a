package gossip

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// allowList says which servers a record may name. The zero list allows all.
type allowList struct {
	networks []netip.Prefix
	names    []string // lower case; ".example.com" stands for all below it
	limited  bool
}

func newAllowList(networks []netip.Prefix, names []string) allowList {
	l := allowList{networks: slices.Clone(networks), limited: len(networks)+len(names) > 0}
	for _, name := range names {
		l.names = append(l.names, strings.TrimSuffix(strings.ToLower(name), "."))
	}
	return l
}

// allows reports whether the address of a server, host:port or unix:///path, may
// be used.
func (l allowList) allows(address string) bool {
	if !l.limited {
		return true
	}
	if strings.HasPrefix(address, "unix:") {
		return slices.Contains(l.names, strings.ToLower(address))
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return contains(l.networks, ip)
	}
	// A name that ends in a dot is the same name.
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return slices.ContainsFunc(l.names, func(name string) bool {
		return host == name || strings.HasPrefix(name, ".") && strings.HasSuffix(host, name)
	})
}

// AllowsServer reports whether AllowServers and AllowServerNames let a record name
// that address of a server, host:port or unix:///path.
func (c Config) AllowsServer(address string) bool {
	return newAllowList(c.AllowServers, c.AllowServerNames).allows(address)
}

// contains reports whether an address is in one of the networks.
func contains(networks []netip.Prefix, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}
