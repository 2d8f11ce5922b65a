package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cache/journal/memory"
)

// inPrompt is inBubble with Ada in level 1, from where she comes promptly.
func inPrompt(t *testing.T, test func(t *testing.T, s *Space[userKey, user], src *source)) {
	t.Helper()
	inBubble(t, withL1, func(t *testing.T, s *Space[userKey, user], src *source) {
		wantName(t, s, "Ada", FromLoader)
		if h, _ := s.fromL1Promptly(t.Context(), ada); h == nil {
			t.Fatal("a hit is not prompt")
		}
		test(t, s, src)
	})
}

func TestPromptHit(t *testing.T) {
	inPrompt(t, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.set(ada, Loaded[user]{Value: user{Name: "Ada", Roles: []string{"reader"}}, Version: 7})
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		mustGet(t, s, ada)
		time.Sleep(3 * time.Second)
		before := s.Stats().L1Hits
		v, meta, err := s.Get(t.Context(), ada)
		if err != nil || meta != (Meta{Source: FromL1, Age: 3 * time.Second, Version: 7}) {
			t.Errorf("Get: %+v, %v", meta, err)
		}
		v.Roles[0] = "writer" // which is the caller's own
		if v, _ := mustGet(t, s, ada); v.Roles[0] != "reader" {
			t.Error("callers share a value")
		}
		if hits := s.Stats().L1Hits - before; hits != 2 {
			t.Errorf("%d hits are counted, want 2", hits)
		}
	})
}

// What has to be asked besides level 1 is.
func TestPromptGivesWay(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, s *Space[userKey, user])
		want   Source
	}{
		"bypass": {func(_ *testing.T, s *Space[userKey, user]) { s.Bypass(BypassAll) }, FromLoader},
		"control": {func(_ *testing.T, s *Space[userKey, user]) {
			s.control.Store(&Control{Bypass: BypassAll, Until: time.Now().Add(time.Hour)})
		}, FromLoader},
		"invalidated": {func(t *testing.T, s *Space[userKey, user]) { s.l1.changed(mustIdentity(s, ada)) }, FromL2},
		"forgotten":   {func(_ *testing.T, s *Space[userKey, user]) { s.l1.forget() }, FromL2},
		"deaf":        {func(_ *testing.T, s *Space[userKey, user]) { s.l1.needsBus = true; s.l1.deaf.Store(true) }, FromL2},
		"nothing":     {func(*testing.T, *Space[userKey, user]) {}, FromL1},
	} {
		t.Run(name, func(t *testing.T) {
			inPrompt(t, func(t *testing.T, s *Space[userKey, user], _ *source) {
				test.change(t, s)
				wantName(t, s, "Ada", test.want)
			})
		})
	}
	t.Run("closed", func(t *testing.T) {
		inPrompt(t, func(t *testing.T, s *Space[userKey, user], _ *source) {
			if err := s.m.Close(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	})
	t.Run("session", func(t *testing.T) {
		inPrompt(t, func(t *testing.T, s *Space[userKey, user], src *source) {
			src.set(ada, Loaded[user]{Value: user{Name: "Countess"}, Version: 9})
			session := NewSession()
			session.note(mustIdentity(s, ada), 9, false, time.Minute)
			if v, meta, err := s.Get(WithSession(t.Context(), session), ada); err != nil || v.Name != "Countess" {
				t.Errorf("a session that has seen the next version: %+v from %v, %v", v, meta.Source, err)
			}
		})
	})
}

// Who writes behind is asked first for what the source has not taken yet.
func TestPromptNotWithWritesBehind(t *testing.T) {
	s := behindUsers(t, newManager(t, NewMemory()), newLate(), memory.New(0), withL1)
	if s.prompt {
		t.Error("a Get is prompt, and does not look at what is pending")
	}
}

// Nothing is handed out after its end, however late the clock's timer is up to lateClock.
func TestPromptEnds(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { withL1(c); c.L1.TTL = 5 * time.Second }, func(t *testing.T, s *Space[userKey, user], _ *source) {
		time.Sleep(2 * time.Second) // so that it is not swept at the moment of its end
		wantName(t, s, "Ada", FromLoader)
		began := time.Now()
		for range 2 * 5000 {
			_, meta := mustGet(t, s, ada)
			if at := time.Since(began); at < 5*time.Second != (meta.Source == FromL1) {
				t.Fatalf("%v after it was loaded: from %v", at, meta.Source)
			}
			if meta.Source != FromL1 {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Error("it never ended")
	})
	inBubble(t, func(c *SpaceConfig[userKey, user]) { withL1(c); c.L1.TTL = 5 * time.Second }, func(t *testing.T, s *Space[userKey, user], _ *source) {
		time.Sleep(2 * time.Second) // so that it is not swept at the moment of its end
		wantName(t, s, "Ada", FromLoader)
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		s.l1.clock.last.Store(int64(s.l1.now() - lateClock + 2*time.Millisecond)) // as of a timer that is that late
		if _, meta := mustGet(t, s, ada); meta.Source == FromL1 {
			t.Error("handed out after its end, since a timer was late")
		}
		s.l1.clock.last.Store(0)
	})
}

// The clock ticks while it is asked, and not otherwise.
func TestRoughClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &roughClock{born: time.Now()}
		defer c.end()
		time.Sleep(time.Second)
		for range 1000 {
			if about, now := c.about(), c.now(); about > now || now-about > tick {
				t.Fatalf("about %v, now %v", about, now)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(3 * tick)
		if last := c.last.Load(); last != 0 {
			t.Errorf("nobody asks, and it ticks: %v", last)
		}
		if about, now := c.about(), c.now(); about != now {
			t.Errorf("it begins again with %v, now %v", about, now)
		}
		c.end()
		time.Sleep(2 * tick)
		if about, now := c.about(), c.now(); about != now || c.last.Load() != 0 {
			t.Errorf("after its end: %v at %v", about, now)
		}
	})
}
