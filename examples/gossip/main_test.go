package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// empty is a server that answers and never holds anything.
type empty struct{}

func (empty) Probe(context.Context) error                             { return nil }
func (empty) Count(context.Context) (int64, error)                    { return 0, nil }
func (empty) Purge(context.Context) (int64, error)                    { return 0, nil }
func (empty) Sweep(context.Context, func(string) bool) (int64, error) { return 0, nil }

func TestRun(t *testing.T) {
	var seeds []string
	var agents []*gossip.Gossip
	for _, id := range []string{"cache-a", "cache-b"} {
		agent, err := gossip.Join(t.Context(), gossip.Config{
			Name: id, Network: gossip.Local, Bind: "127.0.0.1:0", Seeds: seeds, Logger: slog.New(slog.DiscardHandler),
			Node: &gossip.NodeConfig{Address: servertest.Redis(t).Addr(), Server: empty{}, Bootstrap: len(seeds) == 0},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer agent.Close()
		agents = append(agents, agent)
		seeds = []string{agents[0].Status().Gossip.String()}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for version := uint64(0); ; {
		view, err := agents[0].Next(ctx, version)
		if err != nil {
			t.Fatal(err)
		}
		if version = view.Version; len(view.Current(membership.Redis)) == 2 {
			break
		}
	}
	var out strings.Builder
	if err := run(ctx, &out, seeds); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 6 || !strings.Contains(text, "is on cache-a") || !strings.Contains(text, "is on cache-b") {
		t.Errorf("it printed\n%s", text)
	}
}
