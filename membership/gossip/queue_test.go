package gossip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func newTestQueue(times int) *queue { return &queue{limit: func() int { return times }} }

func taken(q *queue, overhead, limit int) string {
	var all []string
	for _, text := range q.take(overhead, limit) {
		all = append(all, string(text))
	}
	return strings.Join(all, " ")
}

func TestQueue(t *testing.T) {
	q := newTestQueue(2)
	if got := taken(q, 0, 100); got != "" {
		t.Errorf("of an empty queue: %q", got)
	}
	q.put("a", []byte("a1"))
	q.put("a", []byte("a2")) // in place of a1
	q.put("b", []byte("b1"))
	q.put("c", []byte("c1")) // of the same length: memberlist's queue loses one of these
	for _, want := range []string{"c1 b1 a2", "c1 b1 a2", ""} {
		if got := taken(q, 0, 100); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What was sent least often goes first, and of what does not fit in, nothing is
// lost.
func TestQueueOrder(t *testing.T) {
	q := newTestQueue(2)
	q.put("a", []byte("aaa"))
	if got := taken(q, 1, 4); got != "aaa" {
		t.Errorf("got %q", got)
	}
	q.put("b", []byte("bbb"))
	q.put("long", []byte("too long for a packet of 7"))
	q.put("c", []byte("c"))
	for _, step := range []struct {
		limit int
		want  string
	}{{3, "c"}, {5, "bbb"}, {8, "c bbb"}, {3, ""}, {8, "aaa"}, {30, "too long for a packet of 7"}, {30, "too long for a packet of 7"}, {30, ""}} {
		if got := taken(q, 1, step.limit); got != step.want {
			t.Errorf("of %d bytes: got %q, want %q", step.limit, got, step.want)
		}
	}
	if q.size() != 0 {
		t.Errorf("%d left", q.size())
	}
}

// Every message is sent as often as it is to be, whatever is put and taken in
// between, unless a newer one of its name has come.
func TestQueueLosesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const times = 3
	q := newTestQueue(times)
	sent, replaced, newest := make(map[string]int), make(map[string]bool), make(map[string]string)
	for i := range 20_000 {
		if r.IntN(3) == 0 {
			name := fmt.Sprint("node", r.IntN(8))
			replaced[newest[name]] = true
			newest[name] = fmt.Sprintf("%05d", i)
			q.put(name, []byte(newest[name]))
			continue
		}
		for _, text := range strings.Fields(taken(q, 2, r.IntN(40))) {
			sent[text]++
		}
	}
	for q.size() > 0 {
		for _, text := range strings.Fields(taken(q, 2, 40)) {
			sent[text]++
		}
	}
	for _, text := range slices.Sorted(func(yield func(string) bool) {
		for _, text := range newest {
			if !yield(text) {
				return
			}
		}
	}) {
		if sent[text] != times {
			t.Errorf("%s was sent %d times, want %d", text, sent[text], times)
		}
	}
	for text, n := range sent {
		if n > times || n < times && !replaced[text] {
			t.Errorf("%s was sent %d times", text, n)
		}
	}
}

func TestTimesToSend(t *testing.T) {
	for n, want := range map[int]int{9: 4, 10: 8, 99: 8, 100: 12, 1000: 16} {
		if got := timesToSend(4, n); got != want {
			t.Errorf("%d members: %d times, want %d", n, got, want)
		}
	}
}
