package fleettest

import (
	"context"
	"encoding/base64"
	"flag"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/membership/observer"
)

// Finder is how a client of the tests finds its fleet: by gossip, or by the agents'
// HTTP API.
type Finder struct {
	Name                  string // of the client
	seeds, agents         string
	cluster, label, allow string
	keyFile               string
}

// Flags has the flag set fill f.
func (f *Finder) Flags(flags *flag.FlagSet) {
	flags.StringVar(&f.Name, "name", "", "name of the client, and part of its keys")
	flags.StringVar(&f.seeds, "seeds", "", "gossip addresses of agents")
	flags.StringVar(&f.agents, "agents", "", "URLs of agents to observe instead")
	flags.StringVar(&f.cluster, "cluster", "", "name of the fleet")
	flags.StringVar(&f.label, "label", "", "label of its gossip")
	flags.StringVar(&f.keyFile, "key-file", "", "file with the key of its gossip, in base64")
	flags.StringVar(&f.allow, "allow", "", "network in which servers may be")
}

// Source returns the one that the flags ask for. onError is told of what an observer
// cannot use; nil: nobody is.
func (f *Finder) Source(ctx context.Context, onError func(error)) (membership.Source, error) {
	if f.agents != "" {
		return observer.New(ctx, observer.Config{Agents: strings.Split(f.agents, ","), Cluster: f.cluster, OnError: onError})
	}
	text, err := os.ReadFile(f.keyFile)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	network, err := netip.ParsePrefix(f.allow)
	if err != nil {
		return nil, err
	}
	return gossip.Join(ctx, gossip.Config{
		Cluster: f.cluster, Name: f.Name, Seeds: strings.Split(f.seeds, ","), Network: gossip.Local,
		Label: f.label, Keys: [][]byte{key}, AllowServers: []netip.Prefix{network},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
