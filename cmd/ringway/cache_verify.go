package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
)

type cacheVerifyFlags struct {
	cacheFlags
	sample, examples int
	rate             float64
	large            string
	spaces           []string
}

func newCacheVerify() *cobra.Command {
	var f cacheVerifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Look for entries that something is wrong with",
		Long: `Verify looks at a sample of the entries of each node, at a limited rate, and reports those
without a time to live, those that are too large, those that are not whole, and those
that lie under another key than their own. It reads only. If there are any, or a node
does not answer, the exit code is 1.

Whether a value is still that of the source only the program knows that has the source:
that is Space.Verify of the package. With --space entries of other spaces and schemas
are reported too. Keys are shown only with --examples, for they may be personal.`,
		Example: `  ringway cache verify
  ringway cache verify --sample 0 --rate 5000 --large 256KB
  ringway cache verify --space svc:user/3,svc:order/1 --examples 3
  ringway cache verify --format json --agent http://10.0.0.1:8946`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.sample, "sample", 1000, "look at that `NUMBER` of keys of each node; 0: at all")
	flags.Float64Var(&f.rate, "rate", 1000, "look at that `NUMBER` of keys a second of each node")
	flags.StringVar(&f.large, "large", "1MB", "an entry of more than this `SIZE` is too large")
	flags.StringSliceVar(&f.spaces, "space", nil, "the spaces that there ought to be, a `LIST` of names with schemas; by default any")
	flags.IntVar(&f.examples, "examples", 0, "show that `NUMBER` of keys of each problem and space")
	noWords(cmd, "sample", "rate", "large", "space", "examples")
	return cmd
}

// verified is what was found of one space.
type verified struct {
	Space         string              `json:"space"`
	Entries       int                 `json:"entries"`
	Others        int                 `json:"others"`
	Bytes         int64               `json:"bytes"`
	NoTTL         int                 `json:"no_ttl"`
	UnknownSchema int                 `json:"unknown_schema"`
	TooLarge      int                 `json:"too_large"`
	Undecodable   int                 `json:"undecodable"`
	WrongIdentity int                 `json:"wrong_identity"`
	Examples      map[string][]string `json:"examples"`
}

// verifyResult is what was found of all.
type verifyResult struct {
	agent          string
	keys, foreign  int
	complete       bool
	spaces         []verified
	failed         map[string]error
	nodes, answers int
}

func (f *cacheVerifyFlags) run(cmd *cobra.Command) error {
	fleet, err := f.find(cmd, false)
	if err != nil {
		return err
	}
	cfg := cache.AuditConfig{Prefix: f.server.prefix, Limit: f.sample, Rate: f.rate, Spaces: f.spaces, Examples: f.examples}
	if err := firstOf(f.atLeast("sample", f.sample, 0), f.atLeast("examples", f.examples, 0)); err != nil {
		return err
	}
	for _, space := range f.spaces { // each entry of one that cannot be would be reported
		if err := checkSpace(f.settings.Where("space"), space); err != nil {
			return err
		}
	}
	if !(f.rate >= 1e-3 && f.rate <= 1e6) {
		return &cli.UsageError{Where: f.settings.Where("rate"), Found: strconv.FormatFloat(f.rate, 'g', -1, 64), Want: "a number of keys a second, up to a million"}
	}
	if cfg.Large, err = parseSize(f.settings.Where("large"), f.large); err != nil {
		return err
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "looking at entries")
	result, err := fleet.verify(cmd.Context(), cfg, progress)
	progress.Close()
	if err != nil {
		return err
	}
	if err := result.report().Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return failedOf(slices.Concat(result.problems(), unanswered(result.failed)))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *cacheFleet) verify(ctx context.Context, cfg cache.AuditConfig, progress *cli.Progress) (*verifyResult, error) {
	r := &verifyResult{agent: f.agent, complete: true, nodes: len(f.nodes)}
	spaces := make(map[string]verified)
	var mu sync.Mutex // guards r and spaces
	failed, err := f.each(ctx, func(ctx context.Context, _ string, store cache.Store, _ *redis.Client) error {
		report, err := cache.Audit(ctx, store, cfg)
		mu.Lock()
		defer mu.Unlock()
		r.keys, r.foreign = r.keys+report.Keys, r.foreign+report.Foreign
		r.complete = r.complete && report.Complete
		for _, s := range report.Spaces {
			spaces[s.Space] = spaces[s.Space].with(s, cfg.Examples)
		}
		r.answers++
		progress.Set(int64(r.answers), int64(r.nodes))
		return err
	})
	r.failed = failed
	for _, name := range slices.Sorted(maps.Keys(spaces)) {
		r.spaces = append(r.spaces, spaces[name])
	}
	return r, err
}

// with adds what one node has.
func (v verified) with(s cache.SpaceAudit, examples int) verified {
	if v.Examples == nil {
		v.Examples = make(map[string][]string)
	}
	v.Space, v.Entries, v.Others, v.Bytes = s.Space, v.Entries+s.Entries, v.Others+s.Others, v.Bytes+s.Bytes
	v.NoTTL += s.Problems[cache.NoTTL]
	v.UnknownSchema += s.Problems[cache.UnknownSchema]
	v.TooLarge += s.Problems[cache.TooLarge]
	v.Undecodable += s.Problems[cache.Undecodable]
	v.WrongIdentity += s.Problems[cache.WrongIdentity]
	for p, keys := range s.Examples {
		all := append(v.Examples[string(p)], keys...)
		v.Examples[string(p)] = all[:min(len(all), examples)]
	}
	return v
}

// counts are the problems of a space, in the order of cache.Problems.
func (v verified) counts() []int {
	return []int{v.NoTTL, v.UnknownSchema, v.TooLarge, v.Undecodable, v.WrongIdentity}
}

// problems are the lines of the error.
func (r *verifyResult) problems() (lines []string) {
	for _, s := range r.spaces {
		for i, n := range s.counts() {
			if n > 0 {
				lines = append(lines, fmt.Sprintf("%s: %d of %s: %s", shown(s.Space), n, counted(s.Entries+s.Others, "key"), cache.Problems()[i]))
			}
		}
	}
	return lines
}

func (r *verifyResult) report() cli.Report {
	records := make([]cli.Record, len(r.spaces))
	for i, s := range r.spaces {
		records[i] = cli.RecordOf(s)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: "ringway.cache.verify/1"}, {Name: "agent", Value: r.agent},
				{Name: "nodes", Value: r.nodes}, {Name: "failed", Value: messages(r.failed)},
				{Name: "complete", Value: r.complete && len(r.failed) == 0},
				{Name: "keys", Value: r.keys}, {Name: "foreign", Value: r.foreign}, {Name: "spaces", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: r.table,
	}
}

// messages are errors by node, as JSON has them.
func messages(failed map[string]error) map[string]string {
	all := make(map[string]string)
	for id, err := range failed {
		all[id] = err.Error()
	}
	return all
}

func (r *verifyResult) table(b *bytes.Buffer, s cli.Style) {
	part := "a sample"
	if r.complete && len(r.failed) == 0 {
		part = "all"
	}
	fmt.Fprintf(b, "%s · %s looked at, %s · %d of no space\n", counted(r.nodes, "node"), counted(r.keys, "key"), part, r.foreign)
	if len(r.spaces) == 0 {
		return
	}
	b.WriteByte('\n')
	columns := []column{name("space", 12), number("entries"), number("bytes"), number("no TTL"), number("schema"),
		number("large"), number("broken"), number("identity")}
	rows := make([][]string, len(r.spaces))
	for i, v := range r.spaces {
		rows[i] = []string{shown(v.Space), strconv.Itoa(v.Entries), strconv.FormatInt(v.Bytes, 10)}
		for _, n := range v.counts() {
			rows[i] = append(rows[i], strconv.Itoa(n))
		}
	}
	writeTable(b, s, columns, rows)
	for _, v := range r.spaces {
		for _, p := range cache.Problems() {
			if keys := v.Examples[string(p)]; len(keys) > 0 {
				texts := make([]string, len(keys))
				for i, key := range keys {
					texts[i] = printable.Text(key)
				}
				b.WriteByte('\n')
				cli.WriteText(b, fmt.Sprintf("%s, %s: %s", shown(v.Space), p, strings.Join(texts, " ")), "  ")
			}
		}
	}
}
