package swim

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/memnet"
)

func measure(t *testing.T, cfg Config) (report *Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if report, err = Run(t.Context(), cfg); err != nil {
			t.Errorf("seed %d: %v", cfg.Seed, err)
		}
		time.Sleep(memnet.Linger) // what members leave behind runs into its timeouts
	})
	return report
}

// Real members keep what the protocols promise, in virtual time. What goes on at the
// same moment goes on in any order, so that no two runs are alike; and memberlist
// has races of its own, such as that between a good-bye and a suspicion that is
// refuted at this moment: nobody then hears the good-bye. Where packets are lost
// that is seen now and then, so that one run may fail, and the next one may not.
func TestRun(t *testing.T) {
	if wrong := wrongs(t, Config{Nodes: 10, Seed: 1}); wrong != nil {
		t.Error(wrong)
	}
	failed := 0
	for seed := uint64(2); failed < 2; seed++ {
		wrong := wrongs(t, Config{Nodes: 40, Loss: 0.05, Seed: seed})
		if wrong == nil {
			return
		}
		t.Log(wrong)
		failed++
	}
	t.Error("with loss, both runs failed")
}

// wrongs returns what is wrong with a run, or nil.
func wrongs(t *testing.T, cfg Config) (wrong []string) {
	t.Helper()
	cfg.Changes = []string{Crash, Leave, Partition}
	r := measure(t, cfg)
	bad := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("seed %d: ", cfg.Seed)+fmt.Sprintf(format, args...))
	}
	if len(r.Steps) != 5 {
		t.Fatalf("seed %d: %d steps: %+v", cfg.Seed, len(r.Steps), r.Steps)
	}
	for i, change := range []string{"join", "crash", "leave", "partition", "heal"} {
		s := r.Steps[i]
		t.Logf("%+v", s)
		if s.Change != change || s.All == nil || !s.Within || s.Aware != s.Observers || *s.First > *s.Median || *s.Median > *s.All || s.Why == "" {
			bad("%s: %+v", change, s)
		}
	}
	if r.Steps[0].Observers != cfg.Nodes || r.Steps[1].Observers != cfg.Nodes-1 || r.Steps[3].Observers != cfg.Nodes-2 {
		bad("who is to learn: %+v", r.Steps)
	}
	// A packet a second of probes and one of answers, at the least.
	if *r.PacketsPerSecond < 1.5 || *r.BytesPerSecond < 50 {
		bad("%v packets, %v bytes a second", *r.PacketsPerSecond, *r.BytesPerSecond)
	}
	if cfg.Loss == 0 && r.FalseDeaths > 0 {
		bad("%d were declared dead that were not", r.FalseDeaths)
	}
	return wrong
}

// A run that is stopped tells what there is so far.
func TestRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := Config{Nodes: 5, Changes: []string{Crash, Leave}, Progress: func(what string) {
			if what == Crash {
				cancel()
			}
		}}
		r, err := Run(ctx, cfg)
		if !errors.Is(err, context.Canceled) || len(r.Steps) != 2 || r.Steps[1].All != nil || r.Steps[1].Within {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(memnet.Linger)
	})
}

// What is slower or quicker than can be is not within.
func TestStep(t *testing.T) {
	began := time.Unix(1000, 0)
	members := []*member{{name: "a"}, {name: "b"}, {name: "c"}}
	for name, test := range map[string]struct {
		took   [3]float64 // seconds; below 0: never
		within bool
	}{
		"well": {[3]float64{2, 3, 4}, true}, "too soon": {[3]float64{0.5, 3, 4}, false},
		"too late": {[3]float64{2, 3, 11}, false}, "half too late": {[3]float64{2, 7, 8}, false}, "stragglers": {[3]float64{2, 3, 9.9}, true}, "not all": {[3]float64{2, 3, -1}, false}, "nobody": {[3]float64{-1, -1, -1}, false},
	} {
		s := newStep(Crash, began, members, expectation{earliest: 1, half: 3, latestHalf: 6, all: 5, latest: 10}, func(m *member) (time.Time, bool) {
			took := test.took[m.name[0]-'a']
			return began.Add(time.Duration(took * float64(time.Second))), took >= 0
		})
		if name == "stragglers" && s.Late != 1 {
			t.Errorf("%d are late: %+v", s.Late, s)
		}
		if s.Within != test.within || (s.All != nil) != (s.Aware == 3) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A member that is declared dead and is not counts, and one that crashed does not.
func TestFalseDeaths(t *testing.T) {
	m := &member{name: "a", present: map[string]bool{}, changed: map[string]time.Time{}, excused: map[string]bool{}, wrongful: map[string]bool{}}
	m.note("b", true)
	m.expectLoss("b")
	m.note("b", false)
	m.note("c", false)
	m.expectNoLoss()
	m.note("b", false)
	m.note("a", false)
	m.note("b", false)
	if dead := m.falseDeaths(); len(dead) != 2 {
		t.Errorf("%v", dead)
	}
	if _, all := m.lost("b", "c"); !all {
		t.Error("b and c are not lost")
	}
	if _, all := m.sees([]string{"b"}); all {
		t.Error("b is seen")
	}
}
