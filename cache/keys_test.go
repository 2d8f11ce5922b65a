package cache

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// Keys with different fields, which a careless spelling would join to the same text.
func TestKeysDiffer(t *testing.T) {
	pairs := [][2]string{
		{"0ab\xff0c", "0a\xff0bc"}, {"0a\xff0b", "0as1:b"}, {"05", "25"}, {"25", "35"}, {"0", "0\xff0"},
		{"0%41", "0A"}, {"0a b", "0a%20b"}, {"5a\xff0b", "0a\xff5b"}, {"0{a}", "0a"}, {"41", "2true"},
	}
	for _, c := range pairs {
		one, err1 := storeKeyOf("user/3/", fields{c[0]}, nil, secret)
		two, err2 := storeKeyOf("user/3/", fields{c[1]}, nil, secret)
		if err := errors.Join(err1, err2); err != nil || one.text == two.text || one.identity == two.identity {
			t.Errorf("%q and %q: keys %q and %q, %v", c[0], c[1], one.text, two.text, err)
		}
		if strings.ContainsAny(one.text+two.text, " {}\r\n") {
			t.Errorf("%q and %q: keys %q and %q, which servers or the ring take for more than a name", c[0], c[1], one.text, two.text)
		}
	}
	proofs.Record(t, proofs.Row{Proof: "keys", Got: fmt.Sprintf("%d pairs, all different", len(pairs))})
}

// A load that took no time that a clock would show is early all the same, now and then.
func TestXFetchOfQuickLoads(t *testing.T) {
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Life.Beta = 1 }, func(t *testing.T, s *Space[userKey, user], _ *source) {
		s.m.cfg.random = func() float64 { return 0.99 }
		now := time.Now()
		for _, c := range []struct {
			left  time.Duration
			early bool
		}{{4 * time.Millisecond, true}, {5 * time.Millisecond, false}} { // ln 100 is 4.6
			if got := s.early(&envelope{soft: now.Add(c.left)}, now); got != c.early {
				t.Errorf("%v before the end: early %v", c.left, got)
			}
		}
	})
}
