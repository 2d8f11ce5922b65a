package observer

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership"
)

func TestTakesTheHighestEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeAgent(t, ringOf(t, 5, "x")), newFakeAgent(t, ringOf(t, 7, "x", "y"))
		o := observe(t, a, b)
		if v := o.next(time.Second); v.Epoch != 7 || idsOf(v) != "x y" {
			t.Fatalf("got %+v", v)
		}
		// Each is heard at once, whoever it is.
		a.say(t, ringOf(t, 8, "x", "y", "z"))
		if v := o.next(time.Second); v.Epoch != 8 || idsOf(v) != "x y z" {
			t.Errorf("got %+v", v)
		}
		b.say(t, ringOf(t, 9, "y"))
		if v := o.next(time.Second); v.Epoch != 9 || idsOf(v) != "y" {
			t.Errorf("got %+v", v)
		}
		// That the other one gets there too is no news.
		a.say(t, ringOf(t, 9, "y"))
		o.quiet(5 * time.Minute)
		o.told()
	})
}

func TestEpochsNeverGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeAgent(t, ringOf(t, 7, "x", "y")), newFakeAgent(t, ringOf(t, 7, "x", "y"))
		o := observe(t, a, b)
		o.next(time.Second)
		a.say(t, ringOf(t, 1)) // started anew, alone
		o.quiet(time.Minute)
		o.told("agent http://a: epoch: got 1 after 7")
		b.fail(status(http.StatusBadGateway)) // now it is the only one that answers
		a.say(t, ringOf(t, 2, "z"))
		o.quiet(time.Minute)
		o.told("agent http://b: status: got 502 Bad Gateway, want 200 OK: \"no\\x00 such luck\"")
		a.say(t, ringOf(t, 8, "x", "z")) // it has found the fleet
		if v := o.next(time.Second); v.Epoch != 8 || idsOf(v) != "x z" {
			t.Errorf("got %+v", v)
		}
	})
}

func TestSurvivesTheLossOfAllButOneAndOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agents := []*fakeAgent{newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x"))}
		o := observe(t, agents...)
		o.next(time.Second)
		agents[0].fail(hang)
		agents[1].fail(status(500))
		agents[2].say(t, ringOf(t, 2, "x", "y"))
		if v := o.next(time.Second); v.Epoch != 2 {
			t.Errorf("with one agent left: %+v", v)
		}
		agents[2].fail(status(503))
		o.quiet(time.Hour) // nothing is known: nothing changes
		o.told("http://b: status: got 500", "http://c: status: got 503", "http://a: no answer within 40s")
		agents[1].say(t, ringOf(t, 3, "z"))
		if v := o.next(11 * time.Second); v.Epoch != 3 || idsOf(v) != "z" {
			t.Errorf("after one came back: %+v", v)
		}
		// What comes back fails anew: that is told again.
		agents[1].fail(status(500))
		o.quiet(time.Minute)
		o.told("http://b: status: got 500")
	})
}

// TestRetries: pauses grow to RetryMax and no further, and never fall below half
// of what they should be; an agent that is back is followed as before.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x"))
		o := observe(t, a, b)
		o.next(time.Second)
		start, times := time.Now(), []time.Duration(nil)
		b.fail(func(w http.ResponseWriter, r *http.Request) {
			times = append(times, time.Since(start))
			status(500)(w, r)
		})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
			if got := times[i+1] - times[i]; got < want/2 || got > want {
				t.Errorf("pause %d: %v, want %v to %v", i+1, got, want/2, want)
			}
		}
		if n := len(times); n < 5*60/10 || n > 2*5*60/10+10 {
			t.Errorf("%d questions in 5 minutes", n)
		}
		b.say(t, ringOf(t, 2, "x"))
		o.next(11 * time.Second)
		times = nil
		b.fail(func(w http.ResponseWriter, r *http.Request) {
			times = append(times, time.Since(start))
			status(500)(w, r)
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(times) < 3 || times[1]-times[0] > 500*time.Millisecond {
			t.Errorf("after it was back, failures at %v: want pauses from 500 ms on", times)
		}
		b.say(t, ringOf(t, 3, "x"))
		o.next(11 * time.Second)
		before := len(b.questions())
		time.Sleep(10 * time.Minute)
		if n := len(b.questions()) - before; n > 22 {
			t.Errorf("%d questions in 10 quiet minutes after it came back", n)
		}
	})
}

// TestRetriesAreJittered: many observers of one agent do not come back in step.
func TestRetriesAreJittered(t *testing.T) {
	o := &Observer{cfg: Config{RetryMin: time.Second, RetryMax: 8 * time.Second}}
	different := make(map[time.Duration]bool)
	for failures := range 200 {
		d := o.retryAfter(failures)
		if d < 500*time.Millisecond || d > 8*time.Second || failures > 3 && d < 4*time.Second {
			t.Errorf("%d failures: %v", failures, d)
		}
		different[d] = true
	}
	if len(different) < 100 {
		t.Errorf("200 pauses have %d lengths", len(different))
	}
}

// TestQuietFleetIsAskedRarely: a long poll each, whatever the agent knows of
// ETags; and one that does not wait is not hammered.
func TestQuietFleetIsAskedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		modern, old, broken := newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x"))
		old.noETag = true
		broken.noWait = true
		o := observe(t, modern, old, broken)
		o.next(time.Second)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for name, c := range map[string]struct {
			agent    *fakeAgent
			min, max int
		}{"with ETag": {modern, 19, 23}, "without": {old, 19, 23}, "that does not wait": {broken, 550, 610}} {
			if n := len(c.agent.questions()); n < c.min || n > c.max {
				t.Errorf("an agent %s: %d questions in 10 minutes, want %d to %d", name, n, c.min, c.max)
			}
		}
		if asked := modern.questions(); asked[0] != "" || asked[1] != "after=1" {
			t.Errorf("asked %q", asked[:2])
		}
		o.quiet(time.Second)
		o.told()
	})
}

// TestFloodOfNews: an agent whose epoch grows without end does not keep the
// observer, or itself, busy.
func TestFloodOfNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeAgent(t, ringOf(t, 1, "x"))
		o := observe(t, a)
		o.next(time.Second)
		var epoch atomic.Uint64
		epoch.Store(1)
		a.fail(func(w http.ResponseWriter, r *http.Request) {
			newFakeAgent(t, ringOf(t, epoch.Add(1), "x")).ServeHTTP(w, r)
		})
		time.Sleep(time.Minute)
		if n := epoch.Load(); n < 500 || n > 700 {
			t.Errorf("%d questions in a minute", n)
		}
	})
}

// TestHealthAtOneEpoch: what the epoch does not count is followed by the ETag,
// from one agent at a time.
func TestHealthAtOneEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sick := ringOfMembers(t, 4, membership.Member{ID: "x", Address: "x:6379", Health: membership.Unhealthy})
		a, b := newFakeAgent(t, ringOf(t, 4, "x")), newFakeAgent(t, ringOf(t, 4, "x"))
		o := observe(t, a, b)
		o.next(time.Second)
		leader, other := a, b
		if o.fleet.leader == 1 {
			leader, other = b, a
		}
		other.say(t, sick)
		o.quiet(50 * time.Second) // the next long poll ends in some 10 s
		leader.say(t, sick)
		if v := o.next(time.Second); v.Members[0].Health != membership.Unhealthy || v.Epoch != 4 {
			t.Errorf("got %+v", v)
		}
		// It is lost, and the other one knows of a recovery.
		leader.fail(status(500))
		other.say(t, ringOf(t, 4, "x"))
		if v := o.next(time.Second); v.Members[0].Health != membership.Healthy {
			t.Errorf("from the other one: %+v", v)
		}
	})
}

// TestNewWaits: for an agent that comes up late; and it says why none did.
func TestNewWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 2, "x"))
		a.fail(hang)
		b.fail(status(http.StatusUnauthorized))
		cfg := Config{Agents: []string{"http://a", "http://b"}, Transport: network{"a": a, "b": b}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := New(ctx, cfg)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "http://a: no answer within 10s") ||
			!strings.Contains(err.Error(), "http://b: status: got 401 Unauthorized") {
			t.Errorf("got %v", err)
		}
		time.AfterFunc(30*time.Second, func() { b.say(t, ringOf(t, 2, "x")) })
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o, err := New(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		cancel() // of no consequence any more
		b.say(t, ringOf(t, 3, "x"))
		if v, err := o.Next(t.Context(), 1); err != nil || v.Epoch != 3 {
			t.Errorf("after the context of New ended: %+v, %v", v, err)
		}
	})
}

// lingering is a network that needs a while to end a question.
type lingering struct {
	network
	ended atomic.Int64
}

func (l *lingering) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.network.RoundTrip(r)
	if err != nil {
		time.Sleep(time.Minute)
		l.ended.Add(1)
	}
	return resp, err
}

func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &lingering{network: network{"a": newFakeAgent(t, ringOf(t, 1, "x")), "b": newFakeAgent(t, ringOf(t, 1, "x"))}}
		o, err := New(t.Context(), Config{Agents: []string{"http://a", "http://b"}, Transport: net})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // both polls are under way
		o.Close()
		if n := net.ended.Load(); n != 2 {
			t.Errorf("%d of 2 questions had ended when Close returned", n)
		}
	})
}

func TestCloseEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "x")), newFakeAgent(t, ringOf(t, 1, "y"))
		b.fail(hang)
		o := observe(t, a, b, c)
		o.next(time.Second)
		waiting := make(chan error)
		go func() {
			_, err := o.Next(context.Background(), 99)
			waiting <- err
		}()
		start := time.Now()
		if err := errors.Join(o.Close(), o.Close()); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, membership.ErrClosed) {
			t.Errorf("a waiting Next: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v of virtual time", took)
		}
		o.told() // that it is closed is nobody's fault
	})
}
