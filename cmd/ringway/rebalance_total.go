package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
)

// total is what the movers of all nodes come to while keys move.
type total struct {
	moving, nodes int // nodes that hand keys over; all of them
	keys, bytes   int64
	left          int64   // -1: one of them does not know
	rate          float64 // keys a second
	seconds       float64 // until the last one is done; -1: one of them does not know
}

// totalOf adds them up. While none is busy, what they say is of transitions before.
func totalOf(m movers) (t total) {
	t.nodes = len(m.all)
	for _, one := range m.all {
		if one.at == nil || one.now.Transition == 0 {
			continue
		}
		r := one.now
		t.keys, t.bytes = t.keys+r.KeysMoved, t.bytes+r.BytesMoved
		if !busy(r) {
			continue
		}
		t.moving++
		t.rate += r.KeysPerSecond
		if t.left += r.KeysLeft; r.KeysLeft < 0 {
			t.left = -1 << 40 // stays below 0, whatever is added
		}
		if t.seconds = max(t.seconds, r.SecondsLeft); r.SecondsLeft < 0 {
			t.seconds = 1e18 // stays above what any other says
		}
	}
	if t.moving == 0 {
		return total{nodes: t.nodes}
	}
	t.left = max(t.left, -1)
	if t.seconds >= 1e18 {
		t.seconds = -1
	}
	return t
}

// text is the total on one line; empty: no node hands keys over.
func (t total) text() string {
	if t.moving == 0 {
		return ""
	}
	parts := []string{fmt.Sprintf("%d of %s moving", t.moving, counted(t.nodes, "node")),
		fmt.Sprintf("%s, %s moved", keysText(t.keys), rebalance.ByteText(t.bytes))}
	if t.left >= 0 {
		parts = append(parts, countText(t.left)+" left")
	}
	parts = append(parts, countText(int64(t.rate))+" keys/s")
	if t.seconds >= 0 {
		parts = append(parts, span(t.seconds)+" left")
	}
	return strings.Join(parts, " · ")
}

// movedText is what the movers moved last; empty: nothing.
func movedText(m movers) string {
	keys, bytes := int64(0), int64(0)
	for _, one := range m.all {
		keys, bytes = keys+one.now.KeysMoved, bytes+one.now.BytesMoved
	}
	if keys == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %s moved last", keysText(keys), rebalance.ByteText(bytes))
}

// byNews returns the movers with those first of which there is most to say: who hands
// keys over, who was not reached, who joins.
func (m movers) byNews() []mover {
	rank := func(one mover) int {
		switch {
		case one.at != nil && busy(one.now):
			return 0
		case one.at == nil:
			return 1
		case one.member.State == membership.Joining:
			return 2
		}
		return 3
	}
	all := slices.Clone(m.all)
	slices.SortStableFunc(all, func(a, b mover) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// trouble is a sentence about a node, without its full stop. Two with the same about
// say the same of it at different times.
type trouble struct{ node, about, text string }

// troubles are what is in the way of a node's keys.
func troubles(m mover) (all []trouble) {
	add := func(about, format string, args ...any) {
		all = append(all, trouble{shown(m.member.ID), about, fmt.Sprintf(format, args...)})
	}
	if m.err != nil {
		add("not reached", "not reached: %v", m.err)
		return all
	}
	if m.now.Waits != "" {
		add(m.now.Waits, "the node waits for %s", m.now.Waits)
	}
	if busy(m.now) && m.now.Pace > 0 && m.now.Pace < 1 {
		add("pace", "down to %.0f%% of its speed where a server answers slowly", max(100*m.now.Pace, 1))
	}
	receivers := make(map[string]bool) // what is said of them below
	for _, to := range m.now.Receivers {
		receivers["node "+to.ID+": "+to.Waiting] = to.Waiting != "" && busy(m.now)
	}
	if m.now.Error != "" && m.now.Ended.IsZero() && !receivers[m.now.Error] {
		add(m.now.Error, "%s", m.now.Error)
	}
	if n := len(m.now.BigKeys); n > 0 {
		k := m.now.BigKeys[0]
		add("big "+k.Key, "%s under way, the first of type %s with %s", counted(n, "big key"), k.Type, rebalance.ByteText(k.Bytes))
	}
	for _, to := range m.now.Receivers {
		if to.Waiting != "" && busy(m.now) {
			add(to.ID+to.Waiting, "nothing goes to %s at present: %s", shown(to.ID), to.Waiting)
		}
	}
	return all
}

const shownNodes = 4 // that are named before what is the same of all of them

// sentences puts together what is the same of several nodes.
func sentences(all []trouble) (lines []string) {
	nodes := make(map[string][]string) // by text
	for _, t := range all {
		nodes[t.text] = append(nodes[t.text], t.node)
	}
	for _, t := range all {
		who, first := nodes[t.text], t.node
		if who[0] != first {
			continue
		}
		if more := len(who) - shownNodes; more > 0 {
			who = append(slices.Clone(who[:shownNodes]), counted(more, "other node"))
		}
		lines = append(lines, cli.Clip(strings.Join(who, ", "), cli.MaxWidth/2)+": "+t.text+".")
	}
	return lines
}
