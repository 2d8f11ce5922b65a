package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
)

type cacheTagsFlags struct {
	cacheFlags
	tagSpace   string
	invalidate bool
	most       int
}

func newCacheTags() *cobra.Command {
	var f cacheTagsFlags
	cmd := &cobra.Command{
		Use:   "tags [NAME…]",
		Short: "Show tags, or make misses of all entries that have them",
		Long: `Tags shows for each tag where its version lies, which it is, and when it last changed,
at the latest. With --invalidate each is counted up first, which makes misses of all entries
that have it, of all spaces: one small request a tag. Level 1 of processes may go on with
what it has for its time to live, since no bus tells it.

Without names it lists what tags there are: as hashes, for the servers do not know their
names. Tags with a personal part can be listed, not named.`,
		Example: `  ringway cache tags category:7 tenant:acme
  ringway cache tags --invalidate category:7
  ringway cache tags --most 20 --format csv`,
		RunE: func(cmd *cobra.Command, names []string) error { return f.run(cmd, names) },
	}
	f.addWhole(cmd)
	addSeedFile(cmd, &f.seedFile)
	flags := cmd.Flags()
	flags.StringVar(&f.tagSpace, "tag-space", "", "the `NAME` that the programs have as TagSpace; the package's own without")
	flags.BoolVar(&f.invalidate, "invalidate", false, "count the versions up: all entries with these tags are misses")
	flags.IntVar(&f.most, "most", 100, "list that `NUMBER` of tags of each node at most")
	noWords(cmd, "tag-space", "most")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// tagCell is the version of one tag on one node.
type tagCell struct {
	Tag     string `json:"tag"` // empty where only the key is known
	Key     string `json:"key"`
	Node    string `json:"node"`
	Version uint64 `json:"version"`      // 0: there is none, and no entry with the tag is valid
	Age     int64  `json:"age_seconds"`  // since the last change, at least
	Left    int64  `json:"left_seconds"` // until the tag ends, if it is not used
	Done    bool   `json:"invalidated"`
}

func (f *cacheTagsFlags) run(cmd *cobra.Command, names []string) error {
	fleet, err := f.find(cmd, len(names) > 0)
	switch {
	case err != nil:
		return err
	case f.invalidate && len(names) == 0:
		return &cli.UsageError{Where: f.settings.Where("invalidate"), Found: "no tags", Want: "the names of those to be invalidated"}
	case slices.Contains(names, ""):
		return &cli.UsageError{Where: "tags", Found: "an empty name", Want: "names of tags"}
	}
	if err := f.atLeast("most", f.most, 1); err != nil {
		return err
	}
	manager, err := cache.NewManager(cache.ManagerConfig{Store: cache.NewMemory(), TagSpace: f.tagSpace})
	if errors.Is(err, cache.ErrConfig) {
		return &cli.UsageError{Where: f.settings.Where("tag-space"), Found: cli.Quote(f.tagSpace), Want: "the name of a space", Err: err}
	}
	if err != nil {
		return err
	}
	defer manager.Close()
	var cells []tagCell
	var failed []string
	if len(names) == 0 {
		cells, failed, err = f.list(cmd.Context(), fleet, manager)
	} else {
		cells, failed, err = f.look(cmd.Context(), fleet, manager, names)
	}
	if err != nil {
		return err
	}
	if err := tagsReport(fleet.agent, cells).Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return failedOf(failed)
}

// look asks the owners of the tags, and counts them up if that is wanted.
func (f *cacheTagsFlags) look(ctx context.Context, fleet *cacheFleet, manager *cache.Manager, names []string) (cells []tagCell, failed []string, err error) {
	for _, name := range names {
		key, err := manager.TagKey(cache.Tag{Name: name})
		if err != nil {
			return nil, nil, err
		}
		for _, id := range fleet.owners(key) {
			cell := tagCell{Tag: name, Key: key, Node: id}
			err := fleet.with(ctx, id, func(ctx context.Context, store cache.Store, _ *redis.Client) error {
				ctx, cancel := bounded(ctx)
				defer cancel()
				if f.invalidate {
					if v := store.(cache.Tagger).BumpTags(ctx, []string{key}); v[0].Err != nil {
						return v[0].Err
					}
					cell.Done = true
				}
				return cell.read(ctx, store)
			})
			if err != nil {
				failed = append(failed, fmt.Sprintf("%s: tag %s: %s", shown(id), shown(name), shown(err.Error())))
				if !cell.Done { // then it is not known whether the tag is there
					continue
				}
			}
			cells = append(cells, cell)
		}
	}
	return cells, failed, ctx.Err()
}

// read fills in what the store has.
func (c *tagCell) read(ctx context.Context, store cache.Store) error {
	_, versions := store.(cache.Tagger).GetTagged(ctx, nil, []string{c.Key})
	if err := versions[0].Err; err != nil {
		return err
	}
	c.Version = versions[0].Version
	in := store.(cache.Inspector).Inspect(ctx, []string{c.Key})[0]
	if in.Err != nil && !errors.Is(in.Err, cache.ErrMiss) {
		return in.Err
	}
	if in.TTL > 0 {
		c.Left, c.Age = int64(in.TTL.Seconds()), int64(max(0, tagsLive-in.TTL).Seconds())
	}
	return nil
}

// tagsLive is how long a tag lives after its last change.
const tagsLive = 30 * 24 * time.Hour

// list goes through the tags of all nodes.
func (f *cacheTagsFlags) list(ctx context.Context, fleet *cacheFleet, manager *cache.Manager) (cells []tagCell, failed []string, err error) {
	some, err := manager.TagKey(cache.Tag{Name: "x"})
	if err != nil {
		return nil, nil, err
	}
	prefix := some[:strings.LastIndexByte(some, '/')+1]
	enough := errors.New("enough")
	var mu sync.Mutex // guards cells
	missing, err := fleet.each(ctx, func(ctx context.Context, id string, store cache.Store, _ *redis.Client) error {
		var found []tagCell
		err := store.(cache.Scanner).ScanKeys(ctx, prefix, func(keys []string) error {
			for _, key := range keys {
				if len(found) == f.most {
					return enough
				}
				cell := tagCell{Key: key, Node: id}
				if err := cell.read(ctx, store); err != nil {
					return err
				}
				found = append(found, cell)
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		if cells = append(cells, found...); errors.Is(err, enough) {
			return nil
		}
		return err
	})
	slices.SortFunc(cells, func(a, b tagCell) int { return strings.Compare(a.Node+" "+a.Key, b.Node+" "+b.Key) })
	return cells, unanswered(missing), err
}

func tagsReport(agent string, cells []tagCell) cli.Report {
	records := make([]cli.Record, len(cells))
	for i, c := range cells {
		records[i] = cli.RecordOf(c)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{{Name: "schema", Value: "ringway.cache.tags/1"}, {Name: "agent", Value: agent}, {Name: "tags", Value: records}}
		},
		CSV: func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) {
			columns := []column{name("tag", 12), name("node", 8), number("version"), number("unchanged"), words("")}
			rows := make([][]string, len(cells))
			for i, c := range cells {
				tag, state, version := c.Tag, "", fmt.Sprint(c.Version)
				unchanged := (time.Duration(c.Age) * time.Second).String()
				if tag == "" {
					tag = c.Key
				}
				switch {
				case c.Done:
					state = "invalidated"
				case c.Version == 0:
					state, version, unchanged = "not there", missing, missing
				}
				rows[i] = []string{shown(tag), shown(c.Node), version, unchanged, state}
			}
			writeTable(b, s, columns, rows)
		},
	}
}
