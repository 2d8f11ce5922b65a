package fleettest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a history is held to. Each key has one writer, whose operations follow one
// another, so that at any time it is known which version is the last that was
// acknowledged; one that failed may take effect at any time after it began.
//
//   - A read never finds a version below the last one that was acknowledged before
//     it began: neither a copy nor a tombstone undoes what came after it.
//   - A key that is there, and has not been written to lately, is found.
//   - An increment is one more than that before it.
//   - What has a time to live keeps it: it is gone when that has passed, and not
//     long before.
const (
	// lately is for how long after a write a client whose view is behind may look
	// for a key where it no longer is, and miss it.
	lately = 2 * time.Second

	// ttlSlack is by how much a time to live may be off, and copySlack by how much
	// more with each copy: memcached counts in whole seconds, each server by a clock
	// of its own.
	ttlSlack  = 2 * time.Second
	copySlack = time.Second
)

// Check returns what in a history breaks a promise, and how many reads found what
// they looked for. Events may be in any order. A key was copied at most that often.
func Check(events []Event, copies int) (broken []string, hits int) {
	byKey := make(map[string][]Event)
	for _, e := range events {
		byKey[e.Key] = append(byKey[e.Key], e)
	}
	for _, key := range slices.Sorted(keysOfMap(byKey)) {
		k := keyHistory{key: key, slack: slackOf(copies)}
		for _, e := range byKey[key] {
			if e.Op == OpGet || e.Op == OpTTL {
				k.reads = append(k.reads, e)
			} else {
				k.writes = append(k.writes, e)
			}
		}
		slices.SortFunc(k.writes, func(a, b Event) int { return cmp.Compare(a.Begin, b.Begin) })
		k.counts()
		for _, read := range k.reads {
			if read.Error == "" {
				k.check(read)
			}
		}
		broken, hits = append(broken, k.broken...), hits+k.hits
	}
	return broken, hits
}

func keysOfMap[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// keyHistory is what happened to one key.
type keyHistory struct {
	key           string
	writes, reads []Event
	slack         time.Duration // of a time to live
	broken        []string
	hits          int
}

func slackOf(copies int) time.Duration { return ttlSlack + time.Duration(copies)*copySlack }

func (k *keyHistory) breaks(format string, args ...any) {
	k.broken = append(k.broken, k.key+": "+fmt.Sprintf(format, args...))
}

// counts gives increments that failed the version that they may have had, and
// checks the others.
func (k *keyHistory) counts() {
	low, high := int64(0), int64(0) // what the counter may be
	for i, w := range k.writes {
		if w.Op != OpCount {
			return
		}
		if w.Error != "" { // done or not
			high++
			k.writes[i].Version = high
			continue
		}
		if w.Version <= low || w.Version > high+1 {
			k.breaks("an increment at %s returned %d, want %d to %d", at(w.Begin), w.Version, low+1, high+1)
		}
		low, high = w.Version, w.Version
	}
}

// check looks at one read that did not fail.
func (k *keyHistory) check(read Event) {
	var acked, touched *Event // the last one acknowledged before the read; the last one that may matter to it
	quiet := true
	for i := range k.writes {
		w := &k.writes[i]
		if w.Begin > read.End {
			break
		}
		if touched = w; w.End+int64(lately) > read.Begin || w.Error != "" {
			quiet = false
		}
		if w.Error == "" && w.End < read.Begin {
			acked, quiet = w, w.End+int64(lately) <= read.Begin
		}
	}
	switch {
	case touched == nil && read.Version > 0:
		k.breaks("read %d at %s, before it was written", read.Version, at(read.Begin))
	case touched == nil:
	case read.Op == OpTTL:
		k.checkTTL(read, acked, quiet)
	case read.Version > touched.Version:
		k.breaks("read %d at %s, and %d was the last version", read.Version, at(read.Begin), touched.Version)
	case read.Version > 0:
		k.checkFound(read, acked)
	case quiet && acked != nil && acked.Op != OpDelete && !k.mayBeOver(acked, read):
		k.breaks("not found at %s, although version %d of %s was there", at(read.Begin), acked.Version, at(acked.End))
	}
}

func (k *keyHistory) checkFound(read Event, acked *Event) {
	k.hits++
	if acked != nil && read.Version < acked.Version {
		k.breaks("read %d at %s, after %s of version %d was acknowledged at %s", read.Version, at(read.Begin), acked.Op, acked.Version, at(acked.End))
		return
	}
	for i := range k.writes {
		switch w := &k.writes[i]; {
		case w.Version != read.Version:
		case w.Op == OpDelete:
			k.breaks("read %d at %s, which is no version but a delete", read.Version, at(read.Begin))
		case k.over(w, read, k.slack):
			k.breaks("read %d at %s, which had expired: it was written at %s for %d ms", read.Version, at(read.Begin), at(w.End), w.TTL)
		}
	}
}

func (k *keyHistory) checkTTL(read Event, acked *Event, quiet bool) {
	if acked == nil || acked.TTL == 0 || !quiet {
		return
	}
	k.hits++
	// When between its beginning and its end each of the two was done, nobody knows:
	// one whose answer was held up takes long.
	life, got := time.Duration(acked.TTL)*time.Millisecond, time.Duration(read.TTL)*time.Millisecond
	least, most := life-time.Duration(read.End-acked.Begin), life-time.Duration(read.Begin-acked.End)
	if got < least-k.slack || got > most+k.slack {
		k.breaks("%v to live at %s, want about %v to %v", got, at(read.Begin), least, most)
	}
}

// mayBeOver reports whether what was written may have expired when the read ended.
func (k *keyHistory) mayBeOver(w *Event, read Event) bool {
	life := time.Duration(w.TTL) * time.Millisecond
	return life > 0 && time.Duration(read.End-w.Begin) > life-k.slack
}

// over reports whether what was written had expired by more than slack when the
// read began.
func (k *keyHistory) over(w *Event, read Event, slack time.Duration) bool {
	life := time.Duration(w.TTL) * time.Millisecond
	return life > 0 && time.Duration(read.Begin-w.End) > life+slack
}

func at(nanoseconds int64) string { return time.Unix(0, nanoseconds).Format("15:04:05.000") }

// Summary is a few of many complaints.
func Summary(broken []string) string {
	const most = 12
	text := strings.Join(broken[:min(most, len(broken))], "\n")
	if more := len(broken) - most; more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	return text
}
