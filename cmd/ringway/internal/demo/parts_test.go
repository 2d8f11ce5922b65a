package demo

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/cli"
)

func TestWorkload(t *testing.T) {
	for _, keys := range []int{100, DefaultKeys, 3*DefaultKeys + 1} {
		w, err := newWorkload(keys)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, key := range w.keys {
			seen[key] = true
		}
		if len(w.keys) != keys || len(seen) != keys {
			t.Fatalf("%d keys, %d different, want %d", len(w.keys), len(seen), keys)
		}
		asked, updates := make(map[int]bool), 0
		const requests = 300_000
		for i := range uint64(requests) {
			key, update := w.request(i)
			if key < 0 || key >= keys {
				t.Fatalf("request %d is about key %d of %d", i, key, keys)
			}
			asked[key] = true
			if update {
				updates++
			}
		}
		if part := float64(updates) / requests; part < 0.019 || part > 0.021 {
			t.Errorf("%d keys: %.4f of the requests are updates, want 1 in %d", keys, part, updateEvery)
		}
		if len(asked) < keys*8/10 {
			t.Errorf("%d keys: requests are about %d of them", keys, len(asked))
		}
	}
}

func TestTTL(t *testing.T) {
	short := 0
	for key := range 8000 {
		switch life := ttl(key, 1); {
		case life%time.Second != 0:
			t.Fatalf("%v, want whole seconds, which Memcached counts in", life)
		case life >= 10*time.Second && life <= 40*time.Second:
			short++
		case life < 10*time.Minute || life > time.Hour:
			t.Fatalf("%v", life)
		}
	}
	if short < 800 || short > 1200 {
		t.Errorf("%d of 8000 are short, want one in eight", short)
	}
}

func TestEntry(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := entry{state: known, from: from, until: from.Add(time.Second), ttl: 10 * time.Second}
	for _, tt := range []struct {
		after       time.Duration
		alive, over bool
		off         time.Duration
	}{
		{0, true, false, -10 * time.Second},
		{8900 * time.Millisecond, true, false, -1100 * time.Millisecond},
		{9 * time.Second, false, false, -time.Second},
		{10500 * time.Millisecond, false, false, 0},
		{12 * time.Second, false, false, time.Second},
		{12*time.Second + 1, false, true, time.Second + 1},
	} {
		now := from.Add(tt.after)
		if alive, over, off := e.alive(now, time.Second), e.over(now, time.Second), e.off(now); alive != tt.alive || over != tt.over || off != tt.off {
			t.Errorf("%v after: alive %t, over %t, off %v, want %t, %t, %v", tt.after, alive, over, off, tt.alive, tt.over, tt.off)
		}
	}
	e.state = doubtful
	if e.alive(from, 0) || e.over(from.Add(time.Hour), 0) {
		t.Error("of a key whose write failed nothing is known")
	}
}

func TestShadow(t *testing.T) {
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	s := &shadow{}
	now, life := time.Now(), time.Minute
	count := func(now time.Time) (hits int) {
		for key := range keys {
			if s.get(key, now, life) {
				hits++
			}
		}
		return hits
	}
	s.follow(keys, []string{"cache-1", "cache-2"})
	two, err := moduloOwners(keys, []string{"cache-1", "cache-2"})
	if err != nil {
		t.Fatal(err)
	}
	three, err := moduloOwners(keys, []string{"cache-1", "cache-2", "cache-3"})
	if err != nil {
		t.Fatal(err)
	}
	stay, second, firstHas := 0, 0, 0
	for i := range keys {
		if two[i] == "cache-1" || three[i] == "cache-1" {
			firstHas++
		}
		if two[i] == three[i] {
			stay++
		}
		if three[i] == "cache-2" {
			second++
		}
	}
	for _, step := range []struct {
		what string
		do   func()
		at   time.Time
		want int
	}{
		{"empty", func() {}, now, 0},
		{"full", func() {}, now, len(keys)},
		{"another node", func() { s.follow(keys, []string{"cache-1", "cache-2", "cache-3"}) }, now, stay},
		{"loaded again", func() {}, now, len(keys)},
		{"a node is dead", func() { s.dies("cache-2") }, now, len(keys) - second},
		{"it stays dead", func() { s.follow(keys, []string{"cache-2"}) }, now, 0},
		{"it is gone", func() { s.follow(keys, []string{"cache-1"}) }, now, firstHas},
		{"all has expired", func() {}, now.Add(life), 0},
	} {
		step.do()
		if hits := count(step.at); hits != step.want {
			t.Errorf("%s: %d hits, want %d", step.what, hits, step.want)
		}
	}
}

// A node that joins by hand has any name, and comes at any time; what no placement
// takes changes nothing.
func TestShadowOfStrangers(t *testing.T) {
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	s := &shadow{}
	now, life := time.Now(), time.Minute
	read := func() (hits int) {
		for key := range keys {
			if s.get(key, now, life) {
				hits++
			}
		}
		return hits
	}
	s.follow(keys, []string{"cache-1"})
	read()
	s.follow(keys, []string{"cache-1", "mine"})
	for key := range keys {
		s.store(key, now, life)
	}
	if hits := read(); hits != len(keys) {
		t.Errorf("with a stranger: %d hits, want %d", hits, len(keys))
	}
	s.follow(keys, []string{"cache-1", strings.Repeat("x", 1000)})
	if hits := read(); hits != len(keys) {
		t.Errorf("with a name that is too long: %d hits, want %d", hits, len(keys))
	}
	s.follow(keys, []string{"cache-1"})
	s.follow(keys, []string{"cache-1", "mine"})
	if hits := read(); hits != len(keys) {
		t.Errorf("back again: %d hits, want %d", hits, len(keys))
	}
}

func TestLatency(t *testing.T) {
	var l latency
	if got := l.quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 1000 {
		l.add(time.Duration(i+1) * 10 * time.Microsecond)
	}
	l.add(0)
	l.add(time.Hour)
	for q, want := range map[float64]time.Duration{0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond} {
		if got := l.quantile(q); float64(got) < 0.99*float64(want) || float64(got) > 1.06*float64(want) {
			t.Errorf("quantile %g: %v, want %v and up to 5%% more", q, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    Moved
		kept bool
	}{
		{"as the ring says", Moved{Keys: 10000, Moved: 2000, Share: 0.2, Exact: 0.2}, true},
		{"by chance", Moved{Sigmas: 3.9}, true},
		{"too many", Moved{Sigmas: 4.1}, false},
		{"between nodes that stay", Moved{Between: 1}, false},
		{"on two nodes", Moved{Doubled: 1}, false},
	} {
		if p := whole(&Step{Moved: &tt.m}, "x"); p.Kept != tt.kept {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	if p := whole(nil, "x"); p.Kept {
		t.Error("kept without having happened")
	}
}

func TestFindings(t *testing.T) {
	var f findings
	step := f.begin()
	stored := &entry{state: known, from: time.Now(), ttl: time.Hour}
	f.failed(1, 5, errNothing)
	f.lost(1, stored)
	if got := f.copied(step); got.Errors != 1 || got.Lost != 1 || got.Unexcused != 2 || len(got.First) != 2 {
		t.Errorf("before the kill: %+v", got)
	}
	step = f.begin()
	f.pardon(func(key int) bool { return key == 1 })
	f.failed(1, 5, errNothing)
	f.lost(1, stored)
	if got := f.copied(step); got.Unexcused != 0 || got.Errors != 1 || !f.excuses(1, stored) || f.excuses(2, stored) {
		t.Errorf("what the killed node had: %+v", got)
	}
	f.failed(2, 5, errNothing)
	f.lost(2, stored)
	if got := f.copied(step); got.Unexcused != 2 || got.Late != 0 {
		t.Errorf("what others have: %+v", got)
	}
	f.evicted(7)
	f.failed(1, 6, errNothing)
	if got := f.copied(step); got.Late != 0 {
		t.Errorf("an error of a request from before the eviction: %+v", got)
	}
	f.failed(1, 7, errNothing)
	if got := f.copied(step); got.Late != 1 || got.Unexcused != 3 {
		t.Errorf("an error after the eviction: %+v", got)
	}
	again := &entry{state: known, from: time.Now().Add(time.Millisecond), ttl: time.Hour}
	f.lost(1, again)
	if got := f.copied(step); got.Unexcused != 4 || f.excuses(1, again) || !f.excuses(1, stored) {
		t.Errorf("a key that was stored after the eviction: %+v", got)
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0.0%", 0.2: "20.0%", 1: "100%", 0.9999: "99.9%"} {
		if got := percent(x); got != want {
			t.Errorf("%g: %q, want %q", x, got, want)
		}
	}
	for rate, want := range map[float64]string{0: "", 1: "██████████", 0.5: "█████", 0.0625: "▋", 2: "██████████"} {
		if got := bar(rate, 10); got != want {
			t.Errorf("%g: %q, want %q", rate, got, want)
		}
	}
	if got := rateBar(math.NaN()); strings.TrimSpace(got) != "" {
		t.Errorf("without reads: %q", got)
	}
	var b bytes.Buffer
	hang(&b, "kept    ", strings.Repeat("word ", 50))
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		lead := "kept    word"
		if i > 0 {
			lead = "        word"
		}
		if !strings.HasPrefix(line, lead) || cli.Width(line) > cli.MaxWidth {
			t.Errorf("line %d: %q", i, line)
		}
	}
	names := []string{"cache-10", "cache-2", "cache-1"}
	if slices.SortFunc(names, byNumber); !slices.Equal(names, []string{"cache-1", "cache-2", "cache-10"}) {
		t.Errorf("%q", names)
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string // in the error; empty: none
	}{
		{Config{Backend: Embedded}, ""},
		{Config{Backend: Embedded, Nodes: 2}, "Config.Nodes: got 2, want 3 to 16"},
		{Config{Backend: Embedded, Keys: -1}, "Config.Keys"},
		{Config{Backend: Embedded, Rate: 1}, "Config.Rate"},
		{Config{Backend: Embedded, Calm: time.Hour}, "Config.Calm"},
	} {
		_, err := tt.cfg.complete()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.want)
		}
	}
}
