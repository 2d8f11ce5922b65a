package cache

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// scene is what lies under the key that everybody wants.
type scene struct {
	name string // "": nothing does
	life LifeConfig
	late bool // the store keeps the entry past its last end, as one whose clock is slow
	old  bool // the entry may be handed out if the source fails or is slow
}

const shortLife = 300 * time.Millisecond

var scenes = []scene{
	{},
	{name: " past its end", life: LifeConfig{TTL: shortLife, NoJitter: true, StaleOnError: time.Hour}, old: true},
	{name: " past its last end", life: LifeConfig{TTL: shortLife, NoJitter: true, NoStaleOnError: true}, late: true},
}

// set has a process of the past store the entry, and waits for its end.
func (sc scene) set(t *testing.T, store Store) {
	t.Helper()
	if sc.name == "" {
		return
	}
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
		c.Life, c.Load = sc.life, func(context.Context, userKey) (Loaded[user], error) {
			return Loaded[user]{Value: user{Name: oldAda}}, nil
		}
	})
	k, err := storeKeyOf(s.prefix, ada, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	there := Entry{}
	eventually(t, "the entry is stored", func() bool {
		mustGet(t, s, ada)
		there, err = store.Get(t.Context(), k.text)
		return err == nil
	})
	a, err := s.decodeEntry(k, there)
	if err != nil {
		t.Fatal(err)
	}
	if sc.late {
		set(t, store, k.text, Entry{Value: there.Value, TTL: longTTL})
	}
	ends := a.soft
	if !sc.old {
		ends = a.hard
	}
	eventually(t, "the entry is past its end", func() bool { return time.Now().After(ends) })
	if e, err := store.Get(t.Context(), k.text); err != nil || string(e.Value) != string(there.Value) {
		t.Fatalf("the entry is gone (%v): the test shows nothing", err)
	}
}

// Three processes, each with ten thousand callers, want one key that is not there, or
// whose entry is past an end of its: one load. With its process killed during it: two;
// that is with a thousand each unless RINGWAY_SOAK=1, for all wait for the ends of their
// leases at the same time. Nobody is handed the old value but where it may be, and then
// not before the load has taken long.
func TestStampede(t *testing.T) {
	var killed sync.WaitGroup
	for _, kill := range []bool{false, true} {
		for _, b := range backends[1:] {
			for _, sc := range scenes {
				run := func() {
					t.Run(fmt.Sprint(b.name, sc.name, " killed ", kill), func(t *testing.T) { stampede(t, b, sc, kill) })
				}
				if kill && soak(1, 0) == 1 {
					killed.Go(run)
				} else {
					run()
				}
			}
		}
	}
	killed.Wait()
}

const (
	killLease = 5 * time.Second        // is to be waited for
	loadTakes = 200 * time.Millisecond // time enough for who does not wait for it
)

func stampede(t *testing.T, b backend, sc scene, kill bool) {
	addresses := b.start(t, 2)
	lease, callers := time.Minute, 10_000
	if kill {
		lease, callers = killLease, soak(1000, callers)
	}
	var all []*process
	for range 3 {
		all = append(all, startChild(t, b.name, addresses, lease))
	}
	for _, p := range all {
		if line := p.next(); line != "ready" {
			t.Fatalf("a process said %q", line)
		}
	}
	sc.set(t, b.open(t, addresses))
	for _, p := range all {
		p.say(t, fmt.Sprint("go ", callers))
	}
	followAll(t, all, sc, callers, kill)
}

// followAll follows the processes to their end. The first that loads is killed, if so
// wanted, in the middle of it.
func followAll(t *testing.T, all []*process, sc scene, callers int, kill bool) {
	t.Helper()
	type said struct {
		p    *process
		line string
	}
	out := make(chan said)
	var readers sync.WaitGroup
	defer readers.Wait()
	for _, p := range all {
		readers.Go(func() {
			for line := p.next(); ; line = p.next() {
				if out <- (said{p, line}); line == "" {
					return
				}
			}
		})
	}
	loads, failed, stale, want := 0, 0, 0, 1
	var killed time.Time
	next := "" // load, when one was killed
	if kill {
		want = 2
	}
	for ended := 0; ended < len(all); {
		s := <-out
		var n, f, old int
		switch {
		case s.line == "":
			ended++
		case s.line == "loading":
			if loads++; kill && loads == 1 {
				_ = s.p.cmd.Process.Kill()
				killed = time.Now()
			} else {
				if kill && time.Since(killed) < time.Second {
					t.Errorf("a load began %v after the kill, while the lease went on", time.Since(killed))
				}
				if kill && next == "" {
					next = fmt.Sprintf("; the second began %.1f s after the kill, of a lease of %v", time.Since(killed).Seconds(), killLease)
				}
				time.Sleep(loadTakes)
				s.p.say(t, "proceed")
			}
		default:
			if _, err := fmt.Sscanf(s.line, "done %d %d %d", &n, &f, &old); err != nil {
				t.Errorf("a process said %q", s.line)
			}
			failed, stale = failed+f, stale+old
		}
	}
	handed := ""
	if sc.old {
		handed = fmt.Sprintf(", that got the old value: %d", stale)
	}
	proofs.Record(t, proofs.Row{Proof: "stampede", Got: fmt.Sprintf("%d processes × %d callers; loads: %d, callers that failed: %d%s%s", len(all), callers, loads, failed, handed, next)})
	if loads != want || failed > 0 {
		t.Errorf("%d loads, want %d; %d callers failed", loads, want, failed)
	}
	if stale > 0 && !(sc.old && kill) {
		t.Errorf("%d callers got the old value, want none", stale)
	}
}
