package gossip

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestFreezeIsTold: an agent that is cut off says once that it evicts nobody, and
// once that it does again.
func TestFreezeIsTold(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		log, book := newLog(t, slog.LevelInfo)
		f.node("a", bootstrap)
		f.node("b")
		f.node("c", func(c *Config) { c.Logger = log })
		f.join(f.config("client"))
		f.agree(time.Minute, "a", "b", "c")
		c := f.members["c"]
		is := func(want Freeze, began int, text string) {
			t.Helper()
			if got := c.Status().Freeze; got != want || c.Stats().Freezes != uint64(began) {
				t.Errorf("%+v, begun %d times, want %+v and %d", got, c.Stats().Freezes, want, began)
			}
			if n := strings.Count(book.String(), text); n != 1 {
				t.Errorf("told %d times: %s", n, text)
			}
		}
		time.Sleep(5 * time.Second)
		is(Freeze{Here: 3, Stay: 3}, 0, "the server answers")
		if err := f.network.Partition([]netip.AddrPort{c.Status().Gossip}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		is(Freeze{On: true, Here: 1, Stay: 3}, 1, `level=WARN msg="nobody is evicted: too few nodes of the ring answer, so this one may be cut off" member=c cluster=ringway answer=1 of=3`)
		if n := f.members["a"].Stats().Freezes; n != 0 {
			t.Errorf("a, which sees a majority, froze %d times", n)
		}
		f.network.Heal()
		f.agree(2*time.Minute, "a", "b", "c")
		time.Sleep(5 * time.Second)
		is(Freeze{Here: 3, Stay: 3}, 1, `level=INFO msg="most of the ring answers again: dead nodes are evicted" member=c`)
		if got := f.members["client"].Status().Freeze; got != (Freeze{}) {
			t.Errorf("a client: %+v", got)
		}
	})
}

// TestFreezeByRollCall: one that is shown nodes of which too few answer says so once,
// however often it calls the roll.
func TestFreezeByRollCall(t *testing.T) {
	hasty := func(c *Config) { c.Timing.EvictAfter = time.Second }
	virtually(t, func(t *testing.T, f *fleet) {
		log, book := newLog(t, slog.LevelInfo)
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		f.node("a", bootstrap, hasty, func(c *Config) { c.Logger = log })
		for _, name := range names[1:] {
			f.node(name, hasty)
		}
		f.agree(time.Minute, names...)
		var minority []netip.AddrPort
		for _, name := range names[:3] {
			minority = append(minority, f.members[name].Status().Gossip)
		}
		if err := f.network.Partition(minority); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		if got := f.members["a"].Status().Freeze; got != (Freeze{On: true, Here: 3, Stay: 7}) {
			t.Errorf("a: %+v", got)
		}
		if n := strings.Count(book.String(), "nobody is evicted"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}
