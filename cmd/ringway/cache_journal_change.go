package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/internal/cli"
)

// change revives or drops dead writes, and leaves those in what was found, with what the
// spaces have afterwards. With an error about the IDs nothing was done.
func (f *cacheJournalFlags) change(ctx context.Context, log *local.Log, ids []uint64, found *journalFound) (lines []string, err error) {
	if !f.changes() {
		return nil, nil
	}
	done, would := "retried", "would be retried"
	if f.drop != "" {
		done, would = "dropped", "would be dropped"
	}
	if err := f.only(ids, found); err != nil {
		return nil, err
	}
	if !f.yes {
		for i := range found.records {
			found.records[i].State = would
		}
		return []string{"nothing was changed: say --yes too"}, nil
	}
	for i := range found.spaces {
		if err := f.changeSpace(ctx, log, &found.spaces[i], found.records); err != nil {
			return nil, err
		}
	}
	for i := range found.records {
		found.records[i].State = done
	}
	return nil, nil
}

// only leaves the dead writes in what was found that are to be changed. An ID says which
// write it is within its space only: see journal.NumberAt.
func (f *cacheJournalFlags) only(ids []uint64, found *journalFound) error {
	spaces := make(map[string][]string) // that have the ID
	for _, id := range ids {
		spaces[strconv.FormatUint(id, 10)] = nil
	}
	found.records = slices.DeleteFunc(found.records, func(r journalRecord) bool {
		if len(ids) == 0 {
			return r.State == "overtaken"
		}
		of, asked := spaces[r.ID]
		if asked {
			spaces[r.ID] = append(of, shown(r.Space))
		}
		return !asked
	})
	there := 0
	for _, id := range ids {
		text := strconv.FormatUint(id, 10)
		switch of := spaces[text]; {
		case len(of) > 1:
			return &cli.UsageError{Where: f.flag(), Found: text + ", which " + strings.Join(of, " and ") + " have",
				Want: "--space with one of them: nothing was changed"}
		case len(of) == 1:
			there++
		}
	}
	if there < len(ids) {
		return &cli.FailedError{Lines: []string{fmt.Sprintf("%d of %s there: nothing was changed; --dead lists the IDs", there, counted(len(ids), "ID"))}}
	}
	return nil
}

// flag is that which names the IDs.
func (f *cacheJournalFlags) flag() string {
	if f.drop != "" {
		return "--drop"
	}
	return "--retry"
}

// changeSpace changes those of the records that are of the space, and counts anew what it
// has.
func (f *cacheJournalFlags) changeSpace(ctx context.Context, log *local.Log, space *journalSpace, records []journalRecord) error {
	var ids []uint64
	for _, r := range records {
		if id, err := strconv.ParseUint(r.ID, 10, 64); err == nil && r.Space == space.Space {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 { // to Revive that would mean all
		return nil
	}
	w, err := cache.OpenWriteJournal(ctx, log, space.Space)
	if err != nil {
		return err
	}
	defer w.Close()
	if f.drop != "" {
		_, err = w.Drop(ctx, ids...)
	} else {
		_, err = w.Revive(ctx, ids...)
	}
	if err == nil {
		*space, _, _, err = contentsOf(ctx, w, space.Space, 0)
	}
	return err
}
