package maglev

import (
	"math"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
)

// turn is what a node keeps between its turns.
type turn struct {
	next   uint32 // the slot it prefers to all that it has not come to yet
	skip   uint32 // from one slot of its order to the next
	weight uint64 // in units of MinWeight
	credit uint64 // grows by weight each round; a turn costs the largest weight
}

// turns prepares the nodes, in their order, for the first round, and returns the
// largest weight with them.
func turns(nodes []ring.Node, cfg Config) (all []turn, heaviest uint64) {
	size := uint64(cfg.TableSize)
	all = make([]turn, len(nodes))
	for i, n := range nodes {
		s := cfg.Hasher.SumLabel(n.ID)
		all[i] = turn{
			next:   uint32(s % size),
			skip:   uint32(splitmix.Mix(s)%(size-1)) + 1,
			weight: uint64(math.Round(n.Weight / MinWeight)), // by a power of two: exact before the rounding
		}
		heaviest = max(heaviest, all[i].weight)
	}
	for i := range all {
		all[i].credit = heaviest - all[i].weight // so that the first round is everyone's
	}
	return all, heaviest
}

// populate lets the nodes take slots until none is free. It uses up the turns.
func populate(turns []turn, heaviest uint64, size int) []uint32 {
	table := make([]uint32, size)
	taken := make(bitmap, (size+63)/64) // 32 times as small as the table: it stays in the cache
	for free := size; ; {
		for i := range turns {
			t := &turns[i]
			if t.credit += t.weight; t.credit < heaviest {
				continue
			}
			t.credit -= heaviest
			slot := t.next
			for taken.has(slot) {
				slot = after(slot, t.skip, uint32(size))
			}
			taken.set(slot)
			table[slot] = uint32(i)
			t.next = after(slot, t.skip, uint32(size))
			if free--; free == 0 {
				return table
			}
		}
	}
}

// after returns the slot that follows in a node's order.
func after(slot, skip, size uint32) uint32 {
	if slot += skip; slot >= size {
		slot -= size
	}
	return slot
}

// bitmap is a set of slots.
type bitmap []uint64

func (b bitmap) has(slot uint32) bool { return b[slot>>6]>>(slot&63)&1 != 0 }
func (b bitmap) set(slot uint32)      { b[slot>>6] |= 1 << (slot & 63) }
