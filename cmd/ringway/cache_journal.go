package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/cli"
)

type cacheJournalFlags struct {
	format *cli.Format
	file   string // of settings
	space  string
	dead   bool
	retry  string
	drop   string
	yes    bool
	most   int

	settings *settings.Settings
}

func newCacheJournal() *cobra.Command {
	var f cacheJournalFlags
	cmd := &cobra.Command{
		Use:   "journal FILE",
		Short: "Show or mend what a space has yet to write to its source",
		Long: `Journal shows what is in the file of a process that writes behind (cache/journal/local):
the writes that were acknowledged and that the source does not have yet. The process must
have ended, and starts where it was.

A write that its space cannot read is set aside, and those behind it go on: --dead lists
such writes, and why. --retry has them tried anew when the process starts, as the last
writes of their keys: an ID, or "all" for those that are not overtaken, which would undo
a later write of the same key. --drop throws them away. Without --yes it is shown what
would be done, and the exit code is 1. Each space numbers its dead writes by itself: an
ID that several have is refused without --space.

Keys are shown as the journal has them.`,
		Example: `  ringway cache journal /var/lib/svc/cache.journal
  ringway cache journal /var/lib/svc/cache.journal --dead --space svc:user/3
  ringway cache journal /var/lib/svc/cache.journal --retry all --yes
  ringway cache journal /var/lib/svc/cache.journal --space svc:user/3 --drop 7413521235968 --yes`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	addConfig(cmd, &f.file)
	f.format = cli.FormatFlag(cmd)
	flags.StringVar(&f.space, "space", "", "only that `SPACE`, with its schema, such as svc:user/3")
	flags.BoolVar(&f.dead, "dead", false, "list the writes that were set aside")
	flags.StringVar(&f.retry, "retry", "", "have the dead writes of those `IDS` tried anew: 1,2,3, or all")
	flags.StringVar(&f.drop, "drop", "", "throw the dead writes of those `IDS` away: 1,2,3")
	flags.BoolVar(&f.yes, "yes", false, "do what --retry or --drop says")
	flags.IntVar(&f.most, "most", 100, "list that `NUMBER` of writes of each space at most")
	settings.CommandLineOnly(flags, "dead", "retry", "drop", "yes")
	noWords(cmd, "space", "retry", "drop", "most")
	return cmd
}

// oneFile wants the name of a file.
func oneFile(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return &cli.UsageError{Where: cmd.Name(), Found: "no file", Want: "the name of a journal"}
	case len(args) > 1:
		return &cli.UsageError{Where: cmd.Name(), Found: fmt.Sprintf("%d arguments", len(args)), Want: "the name of one journal"}
	}
	return nil
}

func (f *cacheJournalFlags) run(cmd *cobra.Command, path string) (err error) {
	if f.settings, err = settings.Load(cmd, os.Environ()); err != nil {
		return err
	}
	ids, err := f.ids()
	if err != nil {
		return err
	}
	log, err := openJournal(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	found := &journalFound{path: path}
	for _, name := range log.Names() {
		if space, dead, writes := spaceOfQueue(name); writes && !dead && (f.space == "" || f.space == space) {
			if err := f.look(cmd.Context(), log, space, found); err != nil {
				return err
			}
		}
	}
	if f.space != "" && len(found.spaces) == 0 {
		return &cli.UsageError{Where: f.settings.Where("space"), Found: cli.Quote(f.space), Want: "a space of the journal: " + spacesOf(log)}
	}
	lines, err := f.change(cmd.Context(), log, ids, found)
	if err != nil {
		return err
	}
	if err := journalReport(found).Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return failedOf(lines)
}

// changes says whether dead writes are to be revived or dropped.
func (f *cacheJournalFlags) changes() bool { return f.retry != "" || f.drop != "" }

// ids are those that are to be revived or dropped; nil: all.
func (f *cacheJournalFlags) ids() (ids []uint64, err error) {
	if f.most < 0 {
		return nil, &cli.UsageError{Where: f.settings.Where("most"), Found: strconv.Itoa(f.most), Want: "0 or more"}
	}
	if f.retry != "" && f.drop != "" {
		return nil, &cli.UsageError{Where: "--drop", Found: "--retry too", Want: "one of the two"}
	}
	flag, text := "retry", f.retry
	if f.drop != "" {
		flag, text = "drop", f.drop
	}
	switch {
	case text == "" && f.yes:
		return nil, &cli.UsageError{Where: "--yes", Found: "nothing to be done", Want: "--retry or --drop"}
	case text == "" || text == "all" && flag == "retry":
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseUint(strings.TrimSpace(word), 10, 63)
		if err != nil {
			want := "IDs that --dead lists"
			if flag == "retry" {
				want += ", or all"
			}
			return nil, &cli.UsageError{Where: "--" + flag, Found: cli.Quote(word), Want: want, Err: err}
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// openJournal opens a file that must be there: a process that begins one says so.
func openJournal(path string) (*local.Log, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, &cli.UsageError{Where: cli.Quote(path), Found: reasonOf(err).Error(), Want: "a journal", Err: err}
	case !info.Mode().IsRegular() || info.Size() == 0:
		return nil, &cli.UsageError{Where: cli.Quote(path), Found: fmt.Sprintf("%v, %d bytes", info.Mode(), info.Size()), Want: "a file that a journal has made"}
	}
	log, err := local.Open(path, local.Config{})
	switch {
	case errors.Is(err, journal.ErrLocked):
		return nil, &cli.FailedError{Lines: []string{shown(path) + ": a process has it: stop that first"}}
	case err != nil:
		return nil, &cli.FailedError{Lines: []string{shown(err.Error())}}
	}
	return log, nil
}

// Names of queues: see cache.WriteJournal.
const (
	writesOf     = "/writes"
	deadWritesOf = "/writes/dead"
)

// spaceOfQueue says which space a queue is of, and whether it has its writes, or those
// that are dead; the others are of invalidations.
func spaceOfQueue(name string) (space string, dead, writes bool) {
	if space, dead = strings.CutSuffix(name, deadWritesOf); dead {
		return space, true, true
	}
	space, writes = strings.CutSuffix(name, writesOf)
	return space, false, writes
}

func spacesOf(log *local.Log) string {
	var spaces []string
	for _, name := range log.Names() {
		if space, dead, writes := spaceOfQueue(name); writes && !dead {
			spaces = append(spaces, shown(space))
		}
	}
	if len(spaces) == 0 {
		return "it has none"
	}
	return strings.Join(spaces, ", ")
}

// contentsOf returns what a space has, the oldest of what waits, at most as many, and what
// is dead.
func contentsOf(ctx context.Context, w *cache.WriteJournal, space string, most int) (of journalSpace, waiting []cache.JournaledWrite, dead []cache.DeadWrite, err error) {
	waiting, depth, err := w.Waiting(ctx, most)
	if err == nil {
		dead, err = w.Dead(ctx)
	}
	return journalSpace{Space: space, Waiting: depth, Dead: len(dead)}, waiting, dead, err
}

// look notes what there is of a space.
func (f *cacheJournalFlags) look(ctx context.Context, log *local.Log, space string, found *journalFound) error {
	w, err := cache.OpenWriteJournal(ctx, log, space)
	if err != nil {
		return err
	}
	defer w.Close()
	of, waiting, dead, err := contentsOf(ctx, w, space, f.most)
	if err != nil {
		return err
	}
	found.spaces = append(found.spaces, of)
	now := time.Now()
	if !f.dead && !f.changes() {
		for _, r := range waiting {
			found.records = append(found.records, journalRecordOf(space, r, now))
		}
	}
	for i, d := range dead {
		if i >= f.most && !f.changes() {
			break
		}
		r := journalRecordOf(space, d.JournaledWrite, now)
		r.ID, r.State, r.Why = strconv.FormatUint(d.ID, 10), "dead", d.Err
		if d.Overtaken != 0 {
			r.State, r.Overtaken = "overtaken", strconv.FormatUint(d.Overtaken, 10)
		}
		found.records = append(found.records, r)
	}
	return nil
}
