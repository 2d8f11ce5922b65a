package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/internal/cli"
)

// refusing is a codec that does not bring back values with a mark.
type refusing struct{ cache.JSON[string] }

func (refusing) Decode(data, bound []byte) (string, error) {
	if strings.Contains(string(data), "broken") {
		return "", errors.New("of another release")
	}
	return cache.JSON[string]{}.Decode(data, bound)
}

// behindSpace opens a space that writes behind; Apply returns what the caller says.
func behindSpace(t *testing.T, path string, codec cache.Codec[string], apply func([]*cache.RowChange[cacheKey, string]) error) (s *cache.Space[cacheKey, string], end func()) {
	t.Helper()
	log, err := local.Open(path, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	s, err = cache.NewSpace(m, cache.SpaceConfig[cacheKey, string]{Name: "svc:user", Schema: 3, Codec: codec,
		WriteBehind: cache.WriteBehindConfig[cacheKey, string]{Journal: log, Interval: time.Millisecond, Pause: time.Millisecond, Drain: time.Millisecond,
			Apply: func(_ context.Context, batch []*cache.RowChange[cacheKey, string]) error { return apply(batch) }}})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if err := m.Close(); err != nil && !errors.Is(err, cache.ErrNotApplied) {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}
}

// journalWith makes the file of a process that has ended: of three writes one was set
// aside and overtaken, one was set aside, and one waits.
func journalWith(t *testing.T) (path string) {
	t.Helper()
	path = t.TempDir() + "/cache.journal"
	down := func([]*cache.RowChange[cacheKey, string]) error { return errors.New("down") }
	s, end := behindSpace(t, path, nil, down)
	for _, w := range [][2]string{{"ada", "broken"}, {"bob", "broken"}, {"ada", "fine"}} {
		if err := s.Put(t.Context(), cacheKey(w[0]), w[1]); err != nil {
			t.Fatal(err)
		}
	}
	end()
	s, end = behindSpace(t, path, refusing{}, func([]*cache.RowChange[cacheKey, string]) error { return nil })
	bound, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for dead, err := s.DeadWrites(bound); len(dead) < 2 || dead[0].Overtaken == 0 || s.Stats().Behind.Depth > 0; dead, err = s.DeadWrites(bound) {
		if err != nil || bound.Err() != nil {
			t.Fatal(err, dead)
		}
		time.Sleep(time.Millisecond)
	}
	end()
	s, end = behindSpace(t, path, nil, down)
	if err := s.Put(t.Context(), "carol", "waits"); err != nil {
		t.Fatal(err)
	}
	end()
	return path
}

type journalAnswer struct {
	Schema, Path string
	Spaces       []struct {
		Space         string
		Waiting, Dead int
	}
	Records []struct {
		Space, Sequence, ID, What, Key, State, Overtaken, Why string
		Bytes                                                 int
		Age                                                   float64 `json:"age_seconds"`
	}
}

func (a journalAnswer) states() string {
	var all []string
	for _, r := range a.Records {
		all = append(all, strings.Trim(r.Key, `"`)+" "+r.State)
	}
	return strings.Join(all, ", ")
}

func TestCacheJournal(t *testing.T) {
	path := journalWith(t)
	look := func(wantCode int, wantStates string, args ...string) journalAnswer {
		t.Helper()
		var got journalAnswer
		ask(t, wantCode, &got, append([]string{"journal", path}, args...)...)
		if got.states() != wantStates {
			t.Errorf("%v: %q, want %q", args, got.states(), wantStates)
		}
		return got
	}
	got := look(cli.ExitDone, "carol waiting, ada overtaken, bob dead")
	if got.Schema != "ringway.cache.journal/1" || got.Path != path || len(got.Spaces) != 1 || got.Spaces[0].Space != "svc:user/3" || got.Spaces[0].Waiting != 1 || got.Spaces[0].Dead != 2 {
		t.Fatalf("%+v", got)
	}
	if r := got.Records[1]; r.What != "value" || r.Bytes == 0 || r.ID == "" || r.Sequence == "" || r.Overtaken == "" || r.Why != "of another release" || r.Space != "svc:user/3" || r.Age > 3600 {
		t.Errorf("%+v", r)
	}
	ada, bob := got.Records[1].ID, got.Records[2].ID
	look(cli.ExitDone, "carol waiting, ada overtaken", "--most", "1")
	look(cli.ExitDone, "ada overtaken, bob dead", "--dead", "--space", "svc:user/3")
	look(cli.ExitFailed, "bob would be retried", "--retry", "all")
	look(cli.ExitFailed, "ada would be retried", "--retry", ada)
	look(cli.ExitFailed, "bob would be dropped", "--drop", bob)
	look(cli.ExitDone, "ada overtaken, bob dead", "--dead") // nothing was changed
	look(cli.ExitDone, "bob retried", "--retry", "all", "--yes")
	look(cli.ExitDone, "carol waiting, bob waiting, ada overtaken")
	look(cli.ExitDone, "ada dropped", "--drop", ada, "--yes")
	look(cli.ExitDone, "carol waiting, bob waiting")
	code, stdout, stderr := run("cache", "journal", path, "--drop", ada+","+bob, "--yes")
	if code != cli.ExitFailed || !strings.Contains(stderr, "0 of 2 IDs there") {
		t.Errorf("IDs that are not there: exit %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = run("cache", "journal", path)
	if checkWidth(t, stdout); code != 0 || !strings.Contains(stdout, "svc:user/3") || !strings.Contains(stdout, "carol") || stderr != "" {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	_, end := behindSpace(t, path, nil, func([]*cache.RowChange[cacheKey, string]) error { return errors.New("down") })
	code, stdout, stderr = run("cache", "journal", path)
	if end(); code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "stop that first") {
		t.Errorf("while a process has it: exit %d, %s%s", code, stdout, stderr)
	}
}

// What is no journal, and what makes no sense, is refused, and no file is made.
func TestCacheJournalRefuses(t *testing.T) {
	path := t.TempDir() + "/cache.journal"
	_, end := behindSpace(t, path, nil, func([]*cache.RowChange[cacheKey, string]) error { return nil })
	end()
	none := t.TempDir() + "/none"
	for _, args := range [][]string{
		{none}, {t.TempDir()}, {""}, {}, {path, path}, {path, "--retry", "x"}, {path, "--drop", "all"}, {path, "--yes"}, {path, "--most", "-1"},
		{path, "--retry", "1", "--drop", "1"}, {path, "--space", "svc:other/1"},
	} {
		code, stdout, stderr := run(append([]string{"cache", "journal"}, args...)...)
		checkUsageError(t, code, stdout, stderr)
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
	broken := t.TempDir() + "/broken"
	if err := os.WriteFile(broken, []byte(strings.Repeat("no journal ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := run("cache", "journal", broken); code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, broken) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := run("cache", "journal", path); code != 0 || !strings.Contains(stdout, "No writes") {
		t.Errorf("exit %d, %s", code, stdout)
	}
}
