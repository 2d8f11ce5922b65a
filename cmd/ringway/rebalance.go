package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
)

type rebalanceFlags struct {
	clientFlags
	kind                        string
	watch, pause, resume, abort bool
	keys                        int
	bytes                       string
}

func newRebalance() *cobra.Command {
	var f rebalanceFlags
	cmd := &cobra.Command{
		Use:   "rebalance",
		Short: "Show the keys that move, and slow down, pause or roll back the moving",
		Long: `Rebalance asks the agent of each node how far its mover is: keys move by themselves when
nodes join, leave or change their weights, each node's agent handing over what belongs
to others afterwards. With --watch it shows that until it is done; Ctrl-C ends the showing
and not the moving, and the exit code is 130.

--pause, --resume, --keys-per-second and --bytes-per-second are for all movers, each of
which has the limit for itself; what is set holds until its agent ends. --abort rolls the
transition under way back to the ring before, for the whole fleet, and the keys with it: a
newcomer hands back what has come to it and its agent ends, a node that was leaving stays,
a change of weight is undone.

One agent tells where all others answer (see the agent's --http and --http-advertise).
An order is sent to each with the token of --token-file, or to those on this machine.`,
		Example: `  ringway rebalance
  ringway rebalance --watch
  ringway rebalance --keys-per-second 20000 --bytes-per-second 50MB
  ringway rebalance --pause --token-file /etc/ringway/token
  ringway rebalance --abort --watch`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.clientFlags.add(cmd)
	flags := cmd.Flags()
	flags.Lookup("token-file").Usage = orderTokenUsage
	flags.StringVar(&f.kind, "kind", "", "nodes of that kind, `redis|memcached`; by default both")
	flags.BoolVar(&f.watch, "watch", false, "show it until no transition is under way, or until Ctrl-C")
	flags.BoolVar(&f.pause, "pause", false, "stop all movers until --resume")
	flags.BoolVar(&f.resume, "resume", false, "let them go on")
	flags.BoolVar(&f.abort, "abort", false, "roll back the transition under way, keys included")
	flags.IntVar(&f.keys, "keys-per-second", 0, "most keys a second that each mover moves, a `NUMBER`; 0: no limit")
	flags.StringVar(&f.bytes, "bytes-per-second", "", "most bytes a second that each mover moves, a `SIZE` such as 50MB; 0: no limit")
	settings.CommandLineOnly(flags, "watch", "pause", "resume", "abort", "keys-per-second", "bytes-per-second")
	oneOf(cmd, "kind", string(membership.Redis), string(membership.Memcached))
	noWords(cmd, "keys-per-second", "bytes-per-second")
	return cmd
}

// orderTokenUsage is for commands that have agents do something.
const orderTokenUsage = "`FILE` with the agents' token, which an order needs unless they are on this machine"

// order returns what the flags want of every mover, and whether they want anything.
func (f *rebalanceFlags) order(cmd *cobra.Command) (o agentapi.RebalanceOrder, wanted bool, err error) {
	wrong := func(flag, found, want string) error {
		return &cli.UsageError{Where: f.settings.Where(flag), Found: found, Want: want}
	}
	changed := cmd.Flags().Changed
	switch {
	case f.kind != "" && !slices.Contains(nodeKinds, membership.Kind(f.kind)):
		return o, false, wrong("kind", cli.Quote(f.kind), "redis or memcached")
	case f.pause && f.resume:
		return o, false, wrong("pause", "it together with --resume", "one of them")
	case f.abort && (f.pause || f.resume || changed("keys-per-second") || changed("bytes-per-second")):
		return o, false, wrong("abort", "it together with an order to the movers", "it alone")
	case f.keys < 0:
		return o, false, wrong("keys-per-second", strconv.Itoa(f.keys), "0 or more")
	}
	if f.pause || f.resume {
		o.Pause, wanted = &f.pause, true
	}
	if changed("keys-per-second") {
		o.KeysPerSecond, wanted = &f.keys, true
	}
	if changed("bytes-per-second") {
		bytes := int64(0)
		if f.bytes != "0" {
			if bytes, err = parseSize(f.settings.Where("bytes-per-second"), f.bytes); err != nil {
				return o, false, err
			}
		}
		o.BytesPerSecond, wanted = &bytes, true
	}
	return o, wanted, nil
}

func (f *rebalanceFlags) run(cmd *cobra.Command) error {
	client, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	order, wanted, err := f.order(cmd)
	if err != nil {
		return err
	}
	ctx, kind := cmd.Context(), membership.Kind(f.kind)
	if f.abort {
		if err := abortAny(ctx, client, kind); err != nil {
			return err
		}
	} else if wanted {
		m, err := askMovers(ctx, client, kind)
		if err != nil {
			return err
		}
		defer m.close()
		if err := m.order(ctx, order); err != nil {
			return err
		}
		if !f.watch {
			return moversReport(m).Print(cmd.OutOrStdout(), *f.format)
		}
	}
	if f.watch {
		return f.follow(cmd, client)
	}
	m, err := askMovers(ctx, client, kind)
	if err != nil {
		return err
	}
	defer m.close()
	return moversReport(m).Print(cmd.OutOrStdout(), *f.format)
}

// abortAny rolls back the only transition under way among nodes of the kind.
func abortAny(ctx context.Context, client *agents.Client, kind membership.Kind) error {
	m, err := askMovers(ctx, client, kind)
	if err != nil {
		return err
	}
	defer m.close()
	kinds := slices.Sorted(maps.Keys(m.underWay()))
	switch len(kinds) {
	case 0:
		return errors.New("abort: no transition is under way")
	case 1:
		if err := m.abort(ctx, kinds[0]); err != nil {
			return fmt.Errorf("abort: %w", err)
		}
		return nil
	}
	return &cli.UsageError{Where: "--abort", Found: "transitions of both kinds of nodes", Want: "--kind redis or --kind memcached with it"}
}
