package dns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership"
)

func TestFollowsTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.targets("a", "b")
		s := open(t, Config{Name: "cache.svc", Service: "redis", Proto: "tcp"}, f)
		s.next(1, "a.svc:6379 b.svc:6379")
		f.targets("c", "b", "a")
		if v := s.next(1, "a.svc:6379 b.svc:6379 c.svc:6379"); v.Epoch != 2 {
			t.Errorf("epoch %d", v.Epoch)
		}
		f.targets("a", "c", "b") // as the resolver shuffles them
		s.quiet(5)
		f.targets("a", "b")
		if v := s.next(1, "a.svc:6379 b.svc:6379"); v.Epoch != 3 {
			t.Errorf("epoch %d", v.Epoch)
		}
		s.quiet(1)
		if len(f.names) != 1 || !f.names["redis tcp cache.svc"] {
			t.Errorf("asked for %v", f.names)
		}
	})
}

// TestWeightsOfCoreDNS: each of N targets has the weight 100/N. A node that joins
// must not change the weights of the others.
func TestWeightsOfCoreDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		scale := func(names ...string) {
			f.targets(names...)
			f.set(func(f *fakeResolver) {
				f.records = srv(names...)
				for _, r := range f.records {
					r.Weight = uint16(100 / len(names))
				}
			})
		}
		scale("a", "b", "c")
		s := open(t, Config{Name: "x"}, f)
		s.next(1, "a.svc:6379 b.svc:6379 c.svc:6379")
		scale("a", "b", "c", "d")
		s.next(1, "a.svc:6379 b.svc:6379 c.svc:6379 d.svc:6379")
	})
}

func TestFailuresKeepTheView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.targets("a", "b", "c")
		s := open(t, Config{Name: "x"}, f)
		s.next(1, "a.svc:6379 b.svc:6379 c.svc:6379")
		for port := range 3 { // the same failure, whatever its text
			f.set(func(f *fakeResolver) { f.err = timeOut(port) })
			if port == 0 {
				s.quiet(5, "dns: SRV records of x: lookup x: read udp 10.0.0.1:0->10.0.0.2:53: i/o timeout")
			} else {
				s.quiet(5)
			}
		}
		f.set(func(f *fakeResolver) { f.err = errors.New("another one") })
		s.quiet(5, "another one")
		f.set(func(f *fakeResolver) {}) // empty
		s.quiet(5, "SRV records of x: the answer has no records")
		f.set(func(f *fakeResolver) { f.hangs = true })
		s.quiet(5, "no answer within 5s")
		f.targets("a", "b", "c")
		s.quiet(2)
		f.set(func(f *fakeResolver) { f.hangs = true }) // it was over, and is there again
		s.quiet(2, "no answer within 5s")
		f.targets("a", "b", "d")
		s.next(2, "a.svc:6379 b.svc:6379 d.svc:6379")
	})
}

func TestLargeShrinkIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		five := []string{"a", "b", "c", "d", "e"}
		const all = "a.svc:6379 b.svc:6379 c.svc:6379 d.svc:6379 e.svc:6379"
		f.targets(five...)
		s := open(t, Config{Name: "x"}, f)
		s.next(1, all)
		f.targets("a", "b", "c") // two of five
		s.next(1, "a.svc:6379 b.svc:6379 c.svc:6379")
		f.targets(five...)
		s.next(1, all)
		start := time.Now()
		f.targets("a", "b") // three of five
		s.next(4, "a.svc:6379 b.svc:6379")
		if took := time.Since(start); took < 80*time.Second || took > 100*time.Second {
			t.Errorf("taken over after %v, want the third answer", took)
		}
		s.hasTold("dns: SRV records of x: 3 of 5 nodes are missing from the answer: it is held back until it has come 3 times in a row, so far 1")
		f.targets(five...)
		s.next(1, all)
		// Others in the place of all are a shrink too.
		f.targets("v", "w", "x", "y", "z")
		s.quiet(2, "5 of 5 nodes are missing")
	})
}

func TestDamping(t *testing.T) {
	members := func(ids string) (all []membership.Member) {
		for _, id := range strings.Fields(ids) {
			all = append(all, membership.Member{ID: id})
		}
		return all
	}
	current := members("a b c d")
	for name, c := range map[string]struct {
		answers string // separated by commas; "-" for a failure
		want    string // of each: y if it is believed
	}{
		"less than half":     {"a b c", "y"},
		"half":               {"a b", "y"},
		"more than half":     {"a, a, a", "nny"},
		"none of them":       {"x y z, x y z, x y z", "nny"},
		"another each time":  {"a, b, c, d, a", "nnnnn"},
		"another in between": {"a, a, b, a, a, a", "nnnnny"},
		"all in between":     {"a, a, a b c d, a, a, a", "nnynny"},
		"a failure between":  {"a, a, -, a, a, a", "nn-nny"},
		"growth":             {"a b c d e f g h i j", "y"},
	} {
		var d damping
		got := ""
		for _, answer := range strings.Split(c.answers, ",") {
			if answer = strings.TrimSpace(answer); answer == "-" {
				d.forget()
				got += "-"
				continue
			}
			believed, _, _ := d.believe(current, members(answer))
			got += map[bool]string{true: "y", false: "n"}[believed]
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if believed, _, _ := new(damping).believe(nil, members("a")); !believed {
		t.Error("a first answer is not believed")
	}
}

// TestFailureBreaksTheRow: between the answers that must come in a row none may
// fail.
func TestFailureBreaksTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.targets("a", "b", "c")
		s := open(t, Config{Name: "x"}, f)
		s.next(1, "a.svc:6379 b.svc:6379 c.svc:6379")
		f.targets("a")
		s.quiet(2, "2 of 3 nodes are missing")
		f.set(func(f *fakeResolver) { f.err = timeOut(1) })
		s.quiet(1, "i/o timeout")
		f.targets("a")
		s.quiet(2, "2 of 3 nodes are missing")
		s.next(2, "a.svc:6379")
	})
}

// TestHosts: the list is the fleet; what does not resolve is told.
func TestHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		up := func(names ...string) {
			f.set(func(f *fakeResolver) {
				f.hosts = make(map[string][]string)
				for _, name := range names {
					f.hosts[name] = []string{"10.0.0.1"}
				}
			})
		}
		up("cache-0.svc")
		hosts := []string{"Cache-0.svc:6379", "cache-1.svc:6379"}
		s := open(t, Config{Hosts: hosts}, f)
		hosts[0] = "changed" // is the caller's
		s.next(1, "cache-0.svc:6379 cache-1.svc:6379")
		s.quiet(5, "dns: 1 of 2 hosts do not resolve: cache-1.svc:6379: lookup cache-1.svc: no such host")
		up()
		s.quiet(5, "2 of 2 hosts do not resolve: cache-0.svc:6379, cache-1.svc:6379: ")
		up("cache-0.svc", "cache-1.svc")
		s.quiet(5)
		f.set(func(f *fakeResolver) { f.hangs = true })
		s.quiet(2, "2 of 2 hosts do not resolve: cache-0.svc:6379, cache-1.svc:6379: no answer within 5s")
	})
}

func TestManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		for i := range 100 {
			hosts = append(hosts, fmt.Sprintf("cache-%02d:1", i))
		}
		s := open(t, Config{Hosts: hosts}, &fakeResolver{})
		s.hasTold("dns: 100 of 100 hosts do not resolve: cache-00:1, cache-01:1, cache-02:1, cache-03:1, cache-04:1, …: ")
	})
}

// TestAddressOfOneName: its node keeps its ID, whatever its address; and when
// there are several, the node that was there stays.
func TestAddressOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		at := func(addresses ...string) {
			f.set(func(f *fakeResolver) { f.hosts = map[string][]string{"cache.svc": addresses} })
		}
		at("10.0.0.1")
		s := open(t, Config{Name: "cache.svc", Port: 6379}, f)
		s.next(1, "cache.svc:6379")
		at("10.0.0.2")
		s.quiet(5)
		at("10.0.0.2", "10.0.0.3")
		s.quiet(5, "dns: addresses of cache.svc: several addresses for one name: cache.svc has 2")
		at("10.0.0.3")
		s.quiet(5)
		if _, err := New(t.Context(), Config{Name: "x", Port: 1, Resolver: &fakeResolver{hosts: map[string][]string{"x": {"::1", "::2"}}}}); !errors.Is(err, ErrSeveralAddresses) {
			t.Errorf("several at the start: %v", err)
		}
	})
}

func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.targets("a")
		open(t, Config{Name: "x"}, f)
		time.Sleep(time.Hour)
		times := f.times()
		if len(times) < 109 || len(times) > 134 {
			t.Errorf("%d look-ups in an hour", len(times))
		}
		different := make(map[time.Duration]bool)
		for i := range times[1:] {
			d := times[i+1].Sub(times[i])
			if d < 27*time.Second || d > 33*time.Second {
				t.Errorf("a pause of %v", d)
			}
			different[d] = true
		}
		if len(different) < len(times)/2 {
			t.Errorf("%d look-ups with %d different pauses: they are not jittered", len(times), len(different))
		}
	})
}

// TestNewWaits: for a first answer; and it says why there was none.
func TestNewWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.set(func(f *fakeResolver) { f.err = timeOut(1) })
		told := 0
		cfg := Config{Name: "x", Resolver: f, OnError: func(error) { told++ }}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		_, err := New(ctx, cfg)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "dns: no view of the fleet: ") || !strings.Contains(err.Error(), "i/o timeout") {
			t.Errorf("got %v", err)
		}
		if n := len(f.times()); n < 10 || n > 20 || told != 1 {
			t.Errorf("%d look-ups in 5 minutes, told %d times", n, told)
		}
		time.AfterFunc(10*time.Second, func() { f.targets("a") })
		s, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if v, err := s.Next(t.Context(), 0); err != nil || shown(v.Members) != "a.svc:6379" {
			t.Errorf("got %+v, %v", v, err)
		}
	})
}

// TestCloseWaits: after Close nothing is told any more.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.targets("a")
		telling, told := make(chan bool), false
		s, err := New(t.Context(), Config{Name: "x", Resolver: f, OnError: func(error) {
			close(telling)
			time.Sleep(time.Minute)
			told = true
		}})
		if err != nil {
			t.Fatal(err)
		}
		f.set(func(*fakeResolver) {})
		<-telling
		if s.Close(); !told {
			t.Error("Close did not wait")
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeResolver{}
		f.targets("a")
		s := open(t, Config{Name: "x", Timeout: time.Hour}, f)
		s.next(1, "a.svc:6379")
		f.set(func(f *fakeResolver) { f.hangs = true })
		time.Sleep(time.Minute)
		waiting := make(chan error)
		go func() {
			_, err := s.Next(context.Background(), 1)
			waiting <- err
		}()
		start := time.Now()
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, membership.ErrClosed) {
			t.Errorf("a waiting Next: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v of virtual time", took)
		}
		s.hasTold()
	})
}
