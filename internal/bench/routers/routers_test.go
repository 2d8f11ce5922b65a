package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/bench/rounds"
	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string // on stderr
	}{
		{[]string{"-rounds", "0"}, 2, "routers: -rounds: got 0, want 1 or more\n"},
		{[]string{"-rounds", "few"}, 2, `routers: invalid value "few" for flag -rounds`},
		{[]string{"-benchtime", "0s"}, 2, "routers: -benchtime: got 0s, want more than 0\n"},
		{[]string{"-benchtime", "-1ms"}, 2, "routers: -benchtime: got -1ms, want more than 0\n"},
		{[]string{"-only", "("}, 2, `routers: -only: got "(", want a regular expression: `},
		{[]string{"-only", "nobody"}, 2, `routers: -only: got "nobody", want what matches at least one of` + "\n  get-128/router.Redis\n"},
		{[]string{"get-128"}, 2, `routers: arguments: got "get-128", want none` + "\n"},
		{[]string{"-speed"}, 2, "routers: flag provided but not defined: -speed\n"},
		{[]string{"-cpuprofile", filepath.Join(t.TempDir(), "none", "cpu")}, 1, "routers: open "},
		{[]string{"-help"}, 0, "Usage of routers:\n"},
	} {
		var stdout, stderr strings.Builder
		code := program.Run(t.Context(), c.args, &stdout, &stderr)
		if code != c.code || stdout.String() != "" || !strings.HasPrefix(stderr.String(), c.want) {
			t.Errorf("%q: got code %d, stdout %q, stderr %q; want %d, nothing, %q …", c.args, code, &stdout, &stderr, c.code, c.want)
		}
	}
}

// TestPage makes the whole page in one short round. Every client reads values
// that it checks, so this is also the test of all of them.
func TestPage(t *testing.T) {
	servertest.Require(t, servers.Redis)
	servertest.Require(t, servers.Memcached)
	profile := filepath.Join(t.TempDir(), "cpu")
	var stdout, stderr strings.Builder
	args := []string{"-rounds", "1", "-benchtime", "1ms", "-cpuprofile", profile}
	if code := program.Run(t.Context(), args, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d, stderr:\n%s", code, &stderr)
	}
	page := stdout.String()
	if !strings.HasPrefix(page, "# Performance of the router\n\nThis page is the output of\n\n    go -C internal/bench run ./routers -rounds 1 -benchtime 1ms\n\non ") {
		t.Errorf("the page begins otherwise:\n%s", page)
	}
	if got := strings.Count(page, "| reached |") + strings.Count(page, "| **missed** |"); got != len(claims) {
		t.Errorf("%d verdicts, want one for each of %d claims:\n%s", got, len(claims), page)
	}
	for _, g := range groups {
		for _, c := range g.Contenders {
			row := regexp.MustCompile(regexp.QuoteMeta(fmt.Sprintf("| %s | %s | ", g.Title, c.Name)) + `[\d.]+ \| [\d.]+ – [\d.]+ \| [\d.]+ \| [\d.]+ \|`)
			if !row.MatchString(page) {
				t.Errorf("no row for %s:\n%s", g.NameOf(c), page)
			}
		}
	}
	if strings.Contains(page, "redis-server of unknown") || strings.Contains(page, "memcached of unknown") {
		t.Errorf("the servers' versions are missing:\n%s", page)
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("the profile: %v, %v; want a file that is not empty", info, err)
	}
}

func TestOnly(t *testing.T) {
	var stdout, stderr strings.Builder
	args := []string{"-rounds", "2", "-benchtime", "1ms", "-only", "^routing/"}
	if code := program.Run(t.Context(), args, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d, stderr:\n%s", code, &stderr)
	}
	page := stdout.String()
	if got := strings.Count(page, "| reached |") + strings.Count(page, "| **missed** |"); got != 2 {
		t.Errorf("%d verdicts, want those of the 2 claims about routing:\n%s", got, page)
	}
	if !strings.Contains(page, "-only '^routing/'") || strings.Contains(page, "get-128") {
		t.Errorf("want a page about routing that says so:\n%s", page)
	}
	stdout.Reset()
	if code := program.Run(t.Context(), []string{"-rounds", "1", "-benchtime", "1ms", "-only", "^routing/redis"}, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d, stderr:\n%s", code, &stderr)
	}
	if page := stdout.String(); strings.Contains(page, "In short") {
		t.Errorf("a table of claims, none of which was measured:\n%s", page)
	}
}

// TestClaims makes sure that each claim is about benchmarks that there are, so
// that a run of minutes does not end in an error, and that each is the right way
// up: all of them are reached where the router takes a hundredth of the time.
func TestClaims(t *testing.T) {
	all := make(rounds.Round)
	for _, g := range groups {
		for _, c := range g.Contenders {
			name := g.NameOf(c)
			all[name], all[contest.Processors(name)], all[contest.Allocations(name)] = 100, 100, 10
			if strings.HasPrefix(c.Name, "router.") && c.Name != "router.Redis GETs" {
				all[name], all[contest.Allocations(name)] = 1, 1
			}
		}
	}
	page, err := program.Page(rounds.Rounds{all})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(page, "| reached |"); got != len(claims) {
		t.Errorf("%d claims reached, want %d:\n%s", got, len(claims), page)
	}
	for name := range all {
		all[name] = 1000
		if strings.HasPrefix(strings.Split(name, "/")[1], "router.") && !strings.Contains(name, "GETs") {
			all[name] = 100_000
		}
	}
	if page, err = program.Page(rounds.Rounds{all}); err != nil || strings.Count(page, "| **missed** |") != len(claims) {
		t.Errorf("the router a hundred times as slow: error %v, want all claims missed:\n%s", err, page)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr strings.Builder
	code := program.Run(ctx, []string{"-benchtime", "1h", "-only", "^routing/"}, &stdout, &stderr)
	if code != 1 || stdout.String() != "" || !strings.HasSuffix(stderr.String(), "routers: interrupted\n") {
		t.Errorf("got code %d, stdout %q, stderr %q; want 1, no page, and the reason", code, &stdout, &stderr)
	}
}

func TestCheck(t *testing.T) {
	key := contest.Keys()[0]
	right, wrong := valueOf(key), errors.New("no answer")
	if len(right) != valueSize {
		t.Fatalf("a value of %d bytes, want %d", len(right), valueSize)
	}
	for _, c := range []struct {
		value string
		err   error
		want  error
	}{
		{right, nil, nil}, {right, wrong, wrong}, {"", wrong, wrong},
		{"", nil, errWrong}, {right[:99], nil, errWrong}, {valueOf(contest.Keys()[1]), nil, errWrong},
	} {
		if got := check(key, c.value, c.err); got != c.want {
			t.Errorf("check(%q, %q, %v): got %v, want %v", key, c.value, c.err, got, c.want)
		}
		if got := checkBytes(key, []byte(c.value), c.err); got != c.want {
			t.Errorf("checkBytes(%q, %q, %v): got %v, want %v", key, c.value, c.err, got, c.want)
		}
	}
}
