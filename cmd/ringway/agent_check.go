package main

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agent"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// check looks at what concerns the node.
func (f *agentFlags) check(s *settings.Settings) error {
	wrong := func(flag, found, want string) error {
		return &cli.UsageError{Where: s.Where(flag), Found: found, Want: want}
	}
	switch {
	case f.server.url == "":
		return wrong("server", "none", "the URL of the server, such as redis://127.0.0.1:6379")
	case f.id == "":
		return wrong("id", "none", "a stable ID for the node")
	case f.weight < 0 || f.weight > ring.MaxWeight || f.weight != f.weight:
		return wrong("weight", strconv.FormatFloat(f.weight, 'g', -1, 64), "0, or a number above 0, at most 1048576")
	case f.onRestart != "purge" && f.onRestart != "keep":
		return wrong("on-restart", cli.Quote(f.onRestart), "purge or keep")
	case f.copies < 1:
		return wrong("copies", strconv.Itoa(f.copies), "at least 1")
	case f.server.rate < 0:
		return wrong("purge-rate", strconv.Itoa(f.server.rate), "0 or more")
	case f.bootstrap && f.purge:
		return wrong("bootstrap", "it together with "+s.Where("purge"), "one of them: the first keeps the server's keys, the second removes them")
	case !f.bootstrap && len(f.gossip.join) == 0:
		return wrong("join", "no members", "at least one member to ask for the fleet, or --bootstrap for the first node of a new one")
	}
	return shortTexts(s, []limitedText{
		{"id", f.id, ring.MaxIDLength}, {"zone", f.zone, maxZone}, {"cluster", f.gossip.cluster, maxCluster}, {"label", f.gossip.label, maxLabel},
	})
}

// checkWeight looks at whether a ring can have a node of that weight.
func (f *agentFlags) checkWeight(s *settings.Settings, placement ring.Config) error {
	self := []ring.Node{{ID: f.id, Weight: cmp.Or(f.weight, 1)}}
	_, err := ring.FingerprintOf(self, placement)
	if err == nil {
		err = membership.CheckRoom(self, placement.VirtualNodes)
	}
	if err == nil {
		return nil
	}
	least, most := 0.5/float64(placement.VirtualNodes), membership.MostWeight(placement.VirtualNodes)
	return &cli.UsageError{Where: s.Where("weight"), Found: strconv.FormatFloat(f.weight, 'g', -1, 64), Err: err,
		Want: fmt.Sprintf("0, or %.3g to %.12g with %d virtual nodes: a node has at most %d tokens", least, most, placement.VirtualNodes, membership.MaxNodeTokens)}
}

// Limits of what fits into gossip, in bytes.
const (
	maxZone    = 64
	maxCluster = 64
	maxLabel   = 255
)

type limitedText struct {
	flag, text string
	most       int // bytes
}

func shortTexts(s *settings.Settings, texts []limitedText) error {
	for _, t := range texts {
		if len(t.text) > t.most || !utf8.ValidString(t.text) {
			return &cli.UsageError{Where: s.Where(t.flag), Found: cli.Quote(t.text), Want: fmt.Sprintf("at most %d bytes of UTF-8", t.most)}
		}
	}
	return nil
}

// checkServer looks at what concerns the server, without dialing it.
func (f *agentFlags) checkServer(s *settings.Settings, cfg agent.Config) error {
	data, err := dataserver.Open(cfg.Server)
	if err != nil {
		return &cli.UsageError{Where: s.Where("server"), Found: "what cannot be used (" + err.Error() + ")", Want: "settings of a server", Err: err}
	}
	defer data.Close()
	address, flag := f.server.address, "server-address"
	if address == "" {
		address, flag = data.Address(), "server"
	} else if _, err := membership.NewView(1, membership.Member{ID: "any", Address: address}); err != nil {
		return &cli.UsageError{Where: s.Where(flag), Found: cli.Quote(address), Want: "HOST:PORT or unix:///PATH", Err: err}
	}
	if !cfg.Gossip.AllowsServer(address) {
		return &cli.UsageError{Where: s.Where(flag), Found: cli.Quote(address),
			Want: fmt.Sprintf("an address that %s allows: %s", s.Where("allow-servers"), strings.Join(f.gossip.allowServers, ", "))}
	}
	return nil
}

// checkAddresses looks at where the gossip is.
func (f *gossipFlags) checkAddresses(s *settings.Settings) error {
	for flag, text := range map[string]string{"bind": f.bind, "advertise": f.advertise} {
		if text != "" && !isAddress(text) {
			return &cli.UsageError{Where: s.Where(flag), Found: cli.Quote(text), Want: "an IP address and a port, such as 10.0.0.1:7946"}
		}
	}
	for _, seed := range f.join {
		if !isSeed(seed) {
			return &cli.UsageError{Where: s.Where("join"), Found: cli.Quote(seed), Want: "HOST or HOST:PORT"}
		}
	}
	return nil
}

// isAddress reports whether a text is an IP address, with or without a port.
func isAddress(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	a, err := netip.ParseAddrPort(text)
	return err == nil && a.Addr().Zone() == ""
}

// isSeed reports whether a text is a host, with or without a port.
func isSeed(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil && !strings.Contains(text, ":") {
		host, port = text, "1"
		err = nil
	}
	n, errPort := strconv.ParseUint(port, 10, 16)
	return err == nil && errPort == nil && n > 0 && host != "" && !strings.ContainsAny(host, " /@")
}
