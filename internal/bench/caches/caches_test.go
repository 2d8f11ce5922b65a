package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/bench/rounds"
	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPage makes the whole page in one short round. Every cache reads values that it
// checks, so this is also the test of all of them. What is counted does not depend on
// the machine, and is as the claims have it.
func TestPage(t *testing.T) {
	servertest.Require(t, servers.Redis)
	var stdout, stderr strings.Builder
	if code := program.Run(t.Context(), []string{"-rounds", "1", "-benchtime", "1ms"}, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d, stderr:\n%s", code, &stderr)
	}
	page := stdout.String()
	if !strings.HasPrefix(page, "# Performance of the cache\n\nThis page is the output of\n\n    go -C internal/bench run ./caches -rounds 1 -benchtime 1ms\n\non ") {
		t.Errorf("the page begins otherwise:\n%s", page)
	}
	if got := strings.Count(page, "| reached |") + strings.Count(page, "| **missed** |"); got != len(claims) {
		t.Errorf("%d verdicts, want one for each of %d claims:\n%s", got, len(claims), page)
	}
	for _, g := range groups {
		for _, c := range g.Contenders {
			if !strings.Contains(page, "| "+g.Title+" | "+c.Name+" | ") {
				t.Errorf("no row for %s:\n%s", g.NameOf(c), page)
			}
		}
	}
	for _, want := range []string{
		`\| the same, commands to each server \| 1\.00 \|`,
		`\| 1,000 callers of 1 client: loads \| 1\.00 \|`,
		`hits of 100 keys, 1 goroutine \| go-redis/cache \|.*\| commands: 100 \(`,
		`miss, 1000 callers of 3 clients \| go-redis/cache \|.*\| loads: 3 \(`,
	} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
	if strings.Contains(page, "of unknown version") {
		t.Errorf("versions are missing:\n%s", page)
	}
}

// TestClaims makes sure that each claim is about benchmarks that there are, and that
// each is the right way up: all are reached where cache.Space takes a hundredth.
func TestClaims(t *testing.T) {
	verdicts := func(ours, others float64) (reached int, page string) {
		all := make(rounds.Round)
		for _, g := range groups {
			for _, c := range g.Contenders {
				name, value := g.NameOf(c), others
				if c.Name == "cache.Space" || strings.HasPrefix(c.Name, "cache.Space, ") {
					value = ours
				}
				all[name], all[contest.Processors(name)] = value, value
				all[contest.Allocations(name)], all[contest.Counted(name)] = value-1, value
			}
		}
		page, err := program.Page(rounds.Rounds{all})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(page, "| reached |"), page
	}
	if got, page := verdicts(1, 100); got != len(claims) {
		t.Errorf("%d claims reached, want %d:\n%s", got, len(claims), page)
	}
	if got, page := verdicts(100, 1); got != 0 {
		t.Errorf("%d claims reached, want none:\n%s", got, page)
	}
}

// TestStampede: every operation is about a key of its own, all callers ask for it, and
// an error of one is that of the operation.
func TestStampede(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string][]int)
	read := stampede(func(caller int, key string) error {
		mu.Lock()
		defer mu.Unlock()
		asked[key] = append(asked[key], caller)
		return nil
	})
	for range 2 {
		if err := read([]string{"key"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 2 {
		t.Errorf("%d keys, want 2", len(asked))
	}
	for key, who := range asked {
		if slices.Sort(who); len(who) != callers || who[0] != 0 || who[callers-1] != callers-1 {
			t.Errorf("%s: %d callers from %d to %d", key, len(who), who[0], who[len(who)-1])
		}
	}
	wrong := errors.New("wrong")
	fails := stampede(func(caller int, _ string) error {
		if caller == 7 {
			return wrong
		}
		return nil
	})
	if err := fails([]string{"key"}); err != wrong {
		t.Errorf("one caller fails: %v", err)
	}
}

func TestCheck(t *testing.T) {
	key := contest.Keys()[0]
	right, wrong := profileOf(key), errors.New("no answer")
	short := right
	short.Roles = nil
	for _, c := range []struct {
		value profile
		err   error
		want  error
	}{
		{right, nil, nil}, {right, wrong, wrong}, {profile{}, nil, errWrong}, {short, nil, errWrong},
		{profileOf(contest.Keys()[1]), nil, errWrong},
	} {
		if got := check(key, c.value, c.err); got != c.want {
			t.Errorf("check(%q, %v, %v): got %v, want %v", key, c.value, c.err, got, c.want)
		}
	}
	copied := right.clone()
	if copied.Roles[0] = "other"; right.Roles[0] != "reader" {
		t.Error("a clone shares its roles")
	}
	if checkCard(key, cardOf(key), true) != nil || checkCard(key, cardOf(key), false) != errWrong || checkCard(key, card{}, true) != errWrong {
		t.Error("checkCard: want nil for the value of the key alone")
	}
}
