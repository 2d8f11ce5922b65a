package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestSilences(t *testing.T) {
	var r silences
	for _, c := range []struct {
		text string
		want bool
	}{
		{"dial tcp 127.0.0.1:6379: connection refused", true},
		{"dial tcp 127.0.0.1:6379: connection refused", false},
		{"read tcp 127.0.0.1:40001->127.0.0.1:6379: reset", true},
		{"read tcp 127.0.0.1:40002->127.0.0.1:6379: reset", false},
		{"WRONGPASS", true},
		{"dial tcp 127.0.0.1:6379: connection refused", false},
	} {
		if got := r.first(errors.New(c.text)); got != c.want {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
	}
	for i := range 100 {
		if r.first(fmt.Errorf("another %c", 'a'+i)) != (i+4 <= mostSilences) {
			t.Errorf("reason %d", i+4)
		}
	}
	if r.forget(); !r.first(errors.New("WRONGPASS")) {
		t.Error("a server that had answered: not told")
	}
}

// What is wrong with a server that never answered is told, once a reason.
func TestServerThatNeverAnswers(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		log, book := newLog(t, slog.LevelInfo)
		s := newServer()
		s.down, f.servers["a"] = true, s
		g := f.node("a", bootstrap, func(c *Config) { c.Logger = log })
		told := func(why error) int {
			return strings.Count(book.String(), fmt.Sprintf("level=WARN msg=\"the server does not answer\" member=a cluster=ringway error=%q", why))
		}
		time.Sleep(time.Second / 2)
		if told(errDown) != 1 || !errors.Is(g.Status().Probe, errDown) {
			t.Errorf("the first failure is told %d times; status %v", told(errDown), g.Status().Probe)
		}
		time.Sleep(time.Minute)
		refused := errors.New("no such user")
		s.set(func() { s.reason = refused })
		time.Sleep(time.Minute)
		if told(errDown) != 1 || told(refused) != 1 {
			t.Errorf("told %d and %d times, want 1 each", told(errDown), told(refused))
		}
		s.set(func() { s.down = false })
		f.agree(time.Minute, "a")
		s.set(func() { s.down = true })
		time.Sleep(time.Minute)
		s.set(func() { s.down = false })
		time.Sleep(time.Minute)
		if n := strings.Count(book.String(), "the server answers"); told(refused) != 2 || n != 2 {
			t.Errorf("told %d times, answered %d", told(refused), n)
		}
	})
}
