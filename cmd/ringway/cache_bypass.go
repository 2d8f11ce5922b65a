package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
)

type cacheBypassFlags struct {
	cacheFlags
	set  string
	last time.Duration
}

func newCacheBypass() *cobra.Command {
	var f cacheBypassFlags
	cmd := &cobra.Command{
		Use:   "bypass SPACE…",
		Short: "Show or set how far spaces bypass the cache",
		Long: `Bypass shows whether processes are told to leave out the cache of a space, which is named
with its schema: svc:user/3. With --set fleet they leave out the fleet and use level 1,
with --set all that too, and with --set nothing all is as usual again. They follow within
a second, if their space has SpaceConfig.Controls and they reach the fleet. It ends by
itself, after --for.

Reads that bypass are loads: the source must be able to bear them.`,
		Example: `  ringway cache bypass svc:user/3
  ringway cache bypass --set all --for 30m svc:user/3 svc:order/1
  ringway cache bypass --set nothing svc:user/3`,
		Args: someSpaces,
		RunE: func(cmd *cobra.Command, spaces []string) error { return f.run(cmd, spaces) },
	}
	f.addWhole(cmd)
	addSeedFile(cmd, &f.seedFile)
	flags := cmd.Flags()
	flags.StringVar(&f.set, "set", "", "leave out `nothing|fleet|all`; without, it is shown what is set")
	flags.DurationVar(&f.last, "for", time.Hour, "for that long, a `DURATION` of up to 720h")
	oneOf(cmd, "set", cache.BypassNothing.String(), cache.BypassFleet.String(), cache.BypassAll.String())
	noWords(cmd, "for")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// checkSpace refuses what is not the name of a space with its schema.
func checkSpace(where, space string) error {
	if _, _, err := cache.GetControl(context.Background(), cache.NewMemory(), space); err != nil {
		return &cli.UsageError{Where: where, Found: cli.Quote(space), Want: "a name and a schema, such as svc:user/3", Err: err}
	}
	return nil
}

func someSpaces(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return &cli.UsageError{Where: "bypass", Found: "no space", Want: "names of spaces with their schemas, such as svc:user/3"}
	}
	return nil
}

// bypassed is what is set for a space.
type bypassed struct {
	Space  string `json:"space"`
	Bypass string `json:"bypass"`
	Until  any    `json:"until"` // a time, or nil
	Node   string `json:"node"`
}

func (f *cacheBypassFlags) run(cmd *cobra.Command, spaces []string) error {
	lasts := cmd.Flags().Changed("for") // a file of settings may say it for whoever sets
	fleet, err := f.find(cmd, true)
	if err != nil {
		return err
	}
	if f.set == "" && lasts {
		return &cli.UsageError{Where: "--for", Found: "no --set", Want: "both, or neither: without --set nothing is set"}
	}
	var mode cache.Bypass
	if f.set != "" {
		if mode, err = cache.ParseBypass(f.set); err != nil {
			return &cli.UsageError{Where: f.settings.Where("set"), Found: cli.Quote(f.set), Want: "nothing, fleet or all", Err: err}
		}
	}
	if f.last <= 0 || f.last > 720*time.Hour {
		return &cli.UsageError{Where: f.settings.Where("for"), Found: f.last.String(), Want: "a duration above 0, up to 720h"}
	}
	for _, space := range spaces { // all of them before anything is changed
		if err := checkSpace("bypass", space); err != nil {
			return err
		}
	}
	control := cache.Control{Bypass: mode, Until: time.Now().Add(f.last)}
	var all []bypassed
	var failed []string
	for _, space := range spaces {
		for _, id := range fleet.owners(cache.ControlKey(space)) {
			b := bypassed{Space: space, Node: id}
			err := fleet.with(cmd.Context(), id, func(ctx context.Context, store cache.Store, _ *redis.Client) error {
				ctx, cancel := bounded(ctx)
				defer cancel()
				if f.set != "" {
					if err := cache.SetControl(ctx, store, space, control); err != nil {
						return err
					}
				}
				return b.read(ctx, store)
			})
			if err != nil {
				failed = append(failed, fmt.Sprintf("%s: %s: %s", shown(id), space, shown(err.Error())))
				continue
			}
			all = append(all, b)
		}
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if err := bypassReport(fleet.agent, all).Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return failedOf(failed)
}

func (b *bypassed) read(ctx context.Context, store cache.Store) error {
	c, found, err := cache.GetControl(ctx, store, b.Space)
	b.Bypass = c.Bypass.String()
	if found && c.Bypass != cache.BypassNothing {
		b.Until = c.Until.UTC().Format(time.RFC3339)
	}
	return err
}

func bypassReport(agent string, all []bypassed) cli.Report {
	records := make([]cli.Record, len(all))
	for i, b := range all {
		records[i] = cli.RecordOf(b)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{{Name: "schema", Value: "ringway.cache.bypass/1"}, {Name: "agent", Value: agent}, {Name: "spaces", Value: records}}
		},
		CSV: func() []cli.Record { return records },
		Table: func(buffer *bytes.Buffer, s cli.Style) {
			rows := make([][]string, len(all))
			for i, b := range all {
				until := missing
				if text, is := b.Until.(string); is {
					until = text
				}
				rows[i] = []string{shown(b.Space), b.Bypass, until, shown(b.Node)}
			}
			writeTable(buffer, s, []column{name("space", 12), words("bypass"), words("until"), name("node", 8)}, rows)
		},
	}
}
