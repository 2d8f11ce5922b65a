package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/membership"
)

type cacheHotFlags struct {
	cacheFlags
	sample, most int
	rate         float64
}

func newCacheHot() *cobra.Command {
	var f cacheHotFlags
	cmd := &cobra.Command{
		Use:   "hot",
		Short: "Show which keys are read most",
		Long: `Hot asks the Redis servers how often they have been asked for keys, for a sample of the keys
of each node at a limited rate, and shows those with the highest counts. The counts are those
that Redis evicts by (OBJECT FREQ): logarithmic, from 0 to 255, falling with time. Redis
keeps them only under maxmemory-policy allkeys-lfu or volatile-lfu. A node that does not,
or does not answer, is named, those of the others are shown, and the exit code is 1. MONITOR
is not used: it would slow the servers down.

A key that level 1 of processes answers is not hot on the fleet. What is hot inside a process
Space.HotKeys tells. Memcached has no such counts. Keys may be personal.`,
		Example: `  ringway cache hot
  ringway cache hot --sample 0 --rate 5000 --most 50 --prefix svc:user/3/
  ringway cache hot --format csv`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.sample, "sample", 10_000, "ask for that `NUMBER` of keys of each node; 0: all")
	flags.Float64Var(&f.rate, "rate", 5000, "ask for that `NUMBER` of keys a second of each node")
	flags.IntVar(&f.most, "most", 20, "show that `NUMBER` of keys")
	noWords(cmd, "sample", "rate", "most")
	return cmd
}

// hotKey is a key with what its server counts.
type hotKey struct {
	Key  string `json:"key"`
	Node string `json:"node"`
	Freq int64  `json:"frequency"`
}

// hottest are the hottest keys of those that were seen.
type hottest struct {
	most int

	mu   sync.Mutex // guards what follows
	keys []hotKey
	seen int
}

// add returns how many keys have been seen.
func (h *hottest) add(found []hotKey) (seen int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen += len(found)
	h.keys = append(h.keys, found...)
	slices.SortFunc(h.keys, func(a, b hotKey) int {
		return cmp.Or(cmp.Compare(b.Freq, a.Freq), strings.Compare(a.Key, b.Key), strings.Compare(a.Node, b.Node))
	})
	h.keys = slices.CompactFunc(h.keys, func(a, b hotKey) bool { return a.Key == b.Key && a.Node == b.Node })
	h.keys = h.keys[:min(len(h.keys), h.most)]
	return h.seen
}

var errNoCounts = errors.New("it counts no reads: that needs maxmemory-policy allkeys-lfu or volatile-lfu")

func (f *cacheHotFlags) run(cmd *cobra.Command) error {
	fleet, err := f.find(cmd, false)
	if err != nil {
		return err
	}
	if err := firstOf(f.atLeast("sample", f.sample, 0), f.atLeast("most", f.most, 1)); err != nil {
		return err
	}
	switch {
	case !(f.rate >= 1e-3 && f.rate <= 1e6):
		return &cli.UsageError{Where: f.settings.Where("rate"), Found: strconv.FormatFloat(f.rate, 'g', -1, 64), Want: "a number of keys a second, up to a million"}
	case fleet.kind == membership.Memcached:
		return &cli.FailedError{Lines: []string{"Memcached counts no reads of keys: Space.HotKeys tells what is hot inside a process"}}
	}
	hot := &hottest{most: f.most}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "asking for keys")
	failed, err := fleet.each(cmd.Context(), func(ctx context.Context, id string, store cache.Store, client *redis.Client) error {
		return f.askNode(ctx, id, store, client, func(found []hotKey) {
			progress.Set(int64(hot.add(found)), 0)
		})
	})
	progress.Close()
	if err != nil {
		return err
	}
	if err := hot.report(fleet).Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return failedOf(unanswered(failed))
}

const hotPage = 100 // keys asked for in one exchange

// askNode asks one node, a page of keys at a time.
func (f *cacheHotFlags) askNode(ctx context.Context, id string, store cache.Store, client *redis.Client, take func([]hotKey)) error {
	enough, asked := errors.New("enough"), 0
	err := store.(cache.Scanner).ScanKeys(ctx, f.server.prefix, func(keys []string) error {
		for page := range slices.Chunk(keys, hotPage) {
			if f.sample > 0 {
				page = page[:min(len(page), f.sample-asked)]
			}
			if len(page) == 0 {
				return enough
			}
			found, err := frequencies(ctx, id, client, page)
			if err != nil {
				return err
			}
			take(found)
			asked += len(page)
			if err := pause.For(ctx, time.Duration(float64(len(page))/f.rate*float64(time.Second))); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// frequencies asks for the counts of some keys, which that does not change.
func frequencies(ctx context.Context, id string, client *redis.Client, keys []string) ([]hotKey, error) {
	pipe, replies := client.Pipeline(), make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		replies[i] = pipe.ObjectFreq(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // what failed is told by each reply
	var found []hotKey
	for i, reply := range replies {
		freq, err := reply.Result()
		switch {
		case err == nil:
			found = append(found, hotKey{Key: keys[i], Node: id, Freq: freq})
		case errors.Is(err, redis.Nil): // gone meanwhile
		case strings.Contains(err.Error(), "maxmemory policy"):
			return nil, errNoCounts
		default:
			return nil, err
		}
	}
	return found, nil
}

func (h *hottest) report(fleet *cacheFleet) cli.Report {
	records := make([]cli.Record, len(h.keys))
	for i, k := range h.keys {
		records[i] = cli.RecordOf(k)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{{Name: "schema", Value: "ringway.cache.hot/1"}, {Name: "agent", Value: fleet.agent},
				{Name: "keys_seen", Value: h.seen}, {Name: "keys", Value: records}}
		},
		CSV: func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) {
			fmt.Fprintf(b, "%s asked for\n", counted(h.seen, "key"))
			if len(h.keys) == 0 {
				return
			}
			b.WriteByte('\n')
			rows := make([][]string, len(h.keys))
			for i, k := range h.keys {
				rows[i] = []string{keyText(k.Key), strconv.FormatInt(k.Freq, 10), shown(k.Node)}
			}
			writeTable(b, s, []column{name("key", 20), number("frequency"), name("node", 8)}, rows)
		},
	}
}
