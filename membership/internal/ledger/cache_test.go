package ledger

import (
	"fmt"
	"testing"

	"github.com/ringway/ringway/membership"
	"pgregory.net/rapid"
)

// TestCachesFollow: what was read before a change has no influence on what is read
// after it, and Changes tells of each.
func TestCachesFollow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New()
		for _, m := range drawMessages(t) {
			before, changes := readings(l), l.Changes()
			news := l.Merge(m)
			if rapid.IntRange(0, 3).Draw(t, "forget") == 0 {
				l.Forget(rapid.Int64Range(0, 120).Draw(t, "before"))
			} else if len(news.Records)+len(news.Evictions)+len(news.Aborts) == 0 && l.Changes() != changes {
				t.Fatalf("no news, and the changes are %d after %d", l.Changes(), changes)
			}
			now := readings(l)
			if now != before && l.Changes() == changes {
				t.Fatalf("changes are still %d\nbefore %s\nnow %s", changes, before, now)
			}
			if fresh := readings(clone(l)); now != fresh {
				t.Fatalf("read before the change\n%s\nand only after it\n%s", now, fresh)
			}
		}
	})
}

// readings are all that a ledger has caches for, and the rest but the epoch.
func readings(l *Ledger) string {
	text := fmt.Sprintf("%+v %+v %+v %+v %+v", l.Records(), l.Evictions(), l.Aborts(), l.Counting(), l.Members())
	for _, kind := range kinds[:2] {
		for _, number := range []uint64{0, 1, 3, MaxStamp, membership.RollbackOf(3)} {
			stage, known := l.Abort(kind, number)
			text += fmt.Sprintf("\n%s %d: %v, %v", kind, number, stage, known)
		}
	}
	return text
}
