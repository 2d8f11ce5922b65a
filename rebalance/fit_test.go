package rebalance

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/ring"
)

// amountFor is an estimate in which one node receives that much.
func amountFor(to string, keys, bytes Figure) Estimate {
	return Estimate{{To: to}: {Keys: keys, Bytes: &bytes}}
}

func TestFit(t *testing.T) {
	from := planRing(t, ring.Config{}, ring.Nodes("a")...)
	p := newTestPlan(t, from, planRing(t, ring.Config{}, ring.Nodes("a", "b")...), 1)
	comes := amountFor("b", Figure{100, 5}, Figure{10_000, 500})
	const needs = 11_000 + 110*64 // two standard errors more, and what a key takes beside
	for _, test := range []struct {
		name     string
		estimate Estimate
		memory   map[string]Memory
		headroom float64
		room     Room
		reason   string
		free     int64
	}{
		{"just fits", comes, map[string]Memory{"b": {Used: 1000, Limit: 1000 + needs}}, 0, Fits, "", needs},
		{"one byte short", comes, map[string]Memory{"b": {Used: 1001, Limit: 1000 + needs, Policy: "allkeys-lru"}}, 0, FitsNot, "once full it evicts keys (allkeys-lru)", needs - 1},
		{"headroom", comes, map[string]Memory{"b": {Used: 1000, Limit: 1000 + needs, Policy: NoEviction}}, 0.1, FitsNot, "refuses writes (noeviction)", needs - (1000+needs)/10},
		{"full already", comes, map[string]Memory{"b": {Used: 2000, Limit: 1000}}, 0, FitsNot, "needs 18.0 kB and has 0 B free of 1.00 kB", -1000},
		{"machine", comes, map[string]Memory{"b": {Used: 1, Limit: 2, From: ByMachine, Policy: NoEviction}}, 0, FitsNot, "maxmemory is not set", 1},
		{"not known", comes, nil, 0, RoomUnknown, "its memory is not known", -1},
		{"another's", comes, map[string]Memory{"a": {Limit: 1}}, 0, RoomUnknown, "its memory is not known", -1},
		{"no limit", comes, map[string]Memory{"b": {Used: 1}}, 0, RoomUnknown, "no limit", -1},
		{"not estimated", nil, map[string]Memory{"b": {Limit: 10}}, 0, RoomUnknown, "how much comes is not known", 10},
	} {
		all := p.Fit(test.estimate, FitConfig{Memory: test.memory, Headroom: test.headroom, KeyOverhead: 64})
		if len(all) != 1 || all[0].ID != "b" || all[0].Room != test.room || !strings.Contains(all[0].Reason, test.reason) || all[0].Free != test.free ||
			test.reason == "" && all[0].Reason != "" {
			t.Errorf("%s: got %+v", test.name, all)
		}
	}
}

// Each source has the limits for itself: the slowest decides, and of the two
// limits the tighter one.
func TestDuration(t *testing.T) {
	from := planRing(t, ring.Config{}, ring.Nodes("a", "b")...)
	p := newTestPlan(t, from, planRing(t, ring.Config{}, ring.Nodes("a", "b", "c")...), 1)
	bytes := func(n float64) *Figure { return &Figure{Value: n} }
	e := Estimate{{From: "a"}: {Keys: Figure{Value: 1000}, Bytes: bytes(1e6)}, {From: "b"}: {Keys: Figure{Value: 4000}, Bytes: bytes(5e5)}}
	noBytes := Estimate{{From: "a"}: {}, {From: "b"}: {Keys: Figure{Value: 100}}}
	for _, test := range []struct {
		estimate Estimate
		limits   Limits
		want     time.Duration
		known    bool
	}{
		{e, Limits{Keys: 1000}, 4 * time.Second, true},
		{e, Limits{Bytes: 100_000}, 10 * time.Second, true},
		{e, Limits{Keys: 100, Bytes: 100_000}, 40 * time.Second, true},
		{e, Limits{}, 0, false},
		{noBytes, Limits{Keys: 10}, 10 * time.Second, true},
		{noBytes, Limits{Bytes: 10}, 0, false},
		{nil, Limits{Keys: 10}, 0, false},
		{Estimate{{From: "a"}: {Keys: Figure{Value: 1e18}}, {From: "b"}: {}}, Limits{Keys: 1}, math.MaxInt64, true},
	} {
		if got, known := p.Duration(test.estimate, test.limits); got != test.want || known != test.known {
			t.Errorf("%+v: got %v, %t, want %v, %t", test.limits, got, known, test.want, test.known)
		}
	}
}

func TestByteText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 kB", 9994: "9.99 kB", 9995: "10.0 kB", 12_345: "12.3 kB", 99_949: "99.9 kB", 99_950: "100 kB",
		999_499: "999 kB", 999_500: "1.00 MB", 1_250_000_000: "1.25 GB", math.MaxInt64: "9.22 EB",
	} {
		if got := ByteText(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
