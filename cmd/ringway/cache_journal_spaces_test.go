package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/internal/cli"
)

// twoSpacesWith makes the file of a process that has ended, in which two spaces have set
// a write aside in the same millisecond: both have the same ID.
func twoSpacesWith(t *testing.T) (path, id string) {
	t.Helper()
	path = t.TempDir() + "/cache.journal"
	synctest.Test(t, func(t *testing.T) { // where time stands still while both write
		twoSpaces(t, path, nil, errors.New("down"), func(spaces []*cache.Space[cacheKey, string]) {
			for _, s := range spaces {
				if err := s.Put(t.Context(), "ada", "broken"); err != nil {
					t.Fatal(err)
				}
			}
		})
		twoSpaces(t, path, refusing{}, nil, func(spaces []*cache.Space[cacheKey, string]) {
			for _, s := range spaces {
				for dead, err := s.DeadWrites(t.Context()); len(dead) == 0; dead, err = s.DeadWrites(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Millisecond)
				}
			}
		})
	})
	var got journalAnswer
	ask(t, cli.ExitDone, &got, "journal", path, "--dead")
	if len(got.Records) != 2 || got.Records[0].ID != got.Records[1].ID || got.Records[0].Space == got.Records[1].Space {
		t.Fatalf("two spaces with the same ID were wanted: %+v", got.Records)
	}
	return path, got.Records[0].ID
}

// twoSpaces opens two spaces over one journal, and closes all of it afterwards.
func twoSpaces(t *testing.T, path string, codec cache.Codec[string], applied error, do func([]*cache.Space[cacheKey, string])) {
	t.Helper()
	log, err := local.Open(path, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	var spaces []*cache.Space[cacheKey, string]
	for _, name := range []string{"svc:user", "svc:order"} {
		s, err := cache.NewSpace(m, cache.SpaceConfig[cacheKey, string]{Name: name, Schema: 3, Codec: codec,
			WriteBehind: cache.WriteBehindConfig[cacheKey, string]{Journal: log, Interval: time.Millisecond, Drain: time.Millisecond,
				Apply: func(context.Context, []*cache.RowChange[cacheKey, string]) error { return applied }}})
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, s)
	}
	do(spaces)
	if err := m.Close(); err != nil && !errors.Is(err, cache.ErrNotApplied) {
		t.Error(err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// An ID that two spaces have is refused without --space, by one line that names both, and
// neither loses its write; with it only that space's is changed. What the spaces have is
// told as it is afterwards.
func TestCacheJournalSameID(t *testing.T) {
	path, id := twoSpacesWith(t)
	for _, args := range [][]string{{"--drop", id}, {"--retry", id}, {"--drop", id + ",1"}} {
		for _, yes := range []string{"--yes=false", "--yes"} {
			code, stdout, stderr := run(append([]string{"cache", "journal", path, yes}, args...)...)
			checkUsageError(t, code, stdout, stderr)
			for _, want := range []string{args[0] + ": ", "svc:order/3", "svc:user/3", "--space"} {
				if !strings.Contains(stderr, want) {
					t.Errorf("%v: %q does not say %s", args, stderr, want)
				}
			}
		}
	}
	look := func(want string, args ...string) {
		t.Helper()
		var got journalAnswer
		ask(t, cli.ExitDone, &got, append([]string{"journal", path}, args...)...)
		var all []string
		for _, r := range got.Records {
			all = append(all, r.Space+" "+r.State)
		}
		for _, s := range got.Spaces {
			all = append(all, strings.Repeat("waiting ", s.Waiting)+strings.Repeat("dead ", s.Dead)+"in "+s.Space)
		}
		if text := strings.Join(all, ", "); text != want {
			t.Errorf("%v: %s; want %s", args, text, want)
		}
	}
	look("svc:order/3 dead, svc:user/3 dead, dead in svc:order/3, dead in svc:user/3", "--dead")
	look("svc:order/3 dropped, in svc:order/3", "--drop", id+","+id, "--space", "svc:order/3", "--yes")
	look("svc:user/3 dead, in svc:order/3, dead in svc:user/3", "--dead")
	look("svc:user/3 retried, in svc:order/3, waiting in svc:user/3", "--retry", id, "--yes")
}
