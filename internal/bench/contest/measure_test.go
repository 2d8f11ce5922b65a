package contest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/bench/rounds"
)

// TestEveryClientIsFirstOnce: which client follows which must not decide.
func TestEveryClientIsFirstOnce(t *testing.T) {
	var order string
	g := open{Group: Group{Goroutines: 1, Batch: 1}}
	for _, name := range []string{"a", "b", "c"} {
		g.Contenders = append(g.Contenders, Contender{Name: name})
		g.contenders = append(g.contenders, opened{do: func([]string) error {
			if !strings.HasSuffix(order, name) {
				order += name
			}
			return nil
		}})
	}
	for number := range 3 {
		if _, err := oneRound(t.Context(), []open{g}, func([]string) error { return nil }, number, 1); err != nil {
			t.Fatal(err)
		}
		order += " "
	}
	if want := "abc bca cab "; order != want {
		t.Errorf("got the order %q, want %q", order, want)
	}
}

// What a contender counts is told for each operation of its turn, without what
// came before.
func TestCounted(t *testing.T) {
	var count int64
	all, err := openAll(&Environment{Ctx: t.Context()}, []Group{{Name: "group", Goroutines: 1, Batch: 1, Counted: "calls",
		Contenders: []Contender{{Name: "three", Open: func(e *Environment) (Operation, error) {
			e.Count(func() (int64, error) { return count, nil })
			return func([]string) error { count += 3; return nil }, nil
		}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		round, err := oneRound(t.Context(), all, func([]string) error { return nil }, 0, 1)
		if got := round[Counted("group/three")]; err != nil || got != 3 {
			t.Errorf("error %v, got %v, want 3", err, got)
		}
	}
	silent := []Group{{Name: "group", Counted: "calls", Contenders: []Contender{{Name: "none",
		Open: func(*Environment) (Operation, error) { return nil, nil }}}}}
	if _, err := openAll(&Environment{}, silent); err == nil || err.Error() != "group/none: it does not count calls" {
		t.Errorf("a contender that does not count: %v", err)
	}
}

// An operation that only waits takes next to no time of the processors.
func TestProcessors(t *testing.T) {
	const pause = 200 * time.Millisecond
	round := make(rounds.Round)
	waits := opened{do: func([]string) error { time.Sleep(pause); return nil }}
	if err := measure(t.Context(), Group{Goroutines: 1, Batch: 1}, "waits", waits, 1, round); err != nil {
		t.Fatal(err)
	}
	passed, used := time.Duration(round["waits"]), time.Duration(round[Processors("waits")])
	if passed < pause || used >= pause {
		t.Errorf("%v passed, %v of the processors; want at least %v, and less", passed, used, pause)
	}
}

func TestRepeat(t *testing.T) {
	wrong := errors.New("wrong")
	fails := func([]string) error { return wrong }
	if _, _, err := repeat(t.Context(), 3, 1, fails, time.Hour); err != wrong {
		t.Errorf("an operation that fails: got %v at the end of the run", err)
	}
	var once sync.Once
	failsOnce := func([]string) (err error) {
		once.Do(func() { err = wrong })
		return err
	}
	if _, _, err := repeat(t.Context(), 3, 1, failsOnce, time.Hour); err != wrong {
		t.Errorf("an operation that fails for one goroutine: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancels := func([]string) error { cancel(); return nil }
	if _, _, err := repeat(ctx, 3, 1, cancels, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v", err)
	}
	count := 0
	reads := func(keys []string) error {
		if len(keys) != 3000 || keys[0] != Keys()[count%3*3000] {
			t.Errorf("call %d: got %d keys from %s on", count, len(keys), keys[0])
		}
		if count++; count == 5 {
			return wrong
		}
		return nil
	}
	done, _, err := repeat(t.Context(), 1, 3000, reads, time.Hour)
	if done != 5 || err != wrong {
		t.Errorf("got %d operations and error %v, want 5 and the error of the last", done, err)
	}
	if done, _, err = repeat(t.Context(), 7, 1, func([]string) error { return nil }, 1); done < 7 || err != nil {
		t.Errorf("7 goroutines without time: got %d operations, error %v; want one of each at least", done, err)
	}
}
