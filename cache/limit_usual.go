package cache

import (
	"slices"
	"time"
)

// usual learns how long loads of a source take that has little to do: with no more
// under way than the bound leaves it at the least. What they take then is no sign of
// overload, however long it is. When more are under way it only learns that it was
// wrong: a source that is the slower the more it gets must not be taken for one that
// is slow. The zero value knows nothing. A pure function of what it is told.
type usual struct {
	typical time.Duration // what three of four loads take at most; 0: not known yet

	calm, crowded []time.Duration // loads since the last time that there were enough
	crowd         time.Time       // when there were more than a few under way
}

const (
	usualLoads = 16 // it is what so many loads take
	slowTimes  = 3  // a load is slow that takes so many times what is usual
)

// slow is how long a load must take to count as slow: least, or some times what is
// usual, but no more than most, unless least is. While nothing is known it is most.
func (u *usual) slow(least, most time.Duration) time.Duration {
	if u.typical == 0 {
		return max(least, most)
	}
	return max(least, min(most, slowTimes*u.typical))
}

// ended takes in a load that took so long; crowded: more than a few are under way.
// Those that brought no answer say nothing of how long one takes.
func (u *usual) ended(now time.Time, took time.Duration, crowded, answered bool) {
	if crowded {
		u.crowd = now
	}
	if !answered {
		return
	}
	calm := u.crowd.Before(now.Add(-took)) // from its beginning to its end
	loads := &u.crowded
	if calm {
		loads = &u.calm
	}
	if *loads = append(*loads, took); len(*loads) < usualLoads {
		return
	}
	slices.Sort(*loads)
	typical := max(1, (*loads)[usualLoads*3/4-1])
	*loads = (*loads)[:0]
	switch {
	case u.typical == 0 || typical < u.typical:
		u.typical = typical
	case calm: // step by step: a source may have too much to do from others
		u.typical = min(typical, 2*u.typical)
	}
}
