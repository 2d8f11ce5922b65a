package cache

import (
	"testing"
	"testing/synctest"
	"time"
)

// What has ended takes no memory for longer than a further time to live, also if
// nobody asks for it again.
func TestL1SweepsWhatHasEnded(t *testing.T) {
	inBubble(t, withL1, func(t *testing.T, s *Space[userKey, user], _ *source) {
		wantName(t, s, "Ada", FromLoader)
		entries := func() int {
			synctest.Wait()
			s.l1.cache.CleanUp()
			return s.l1.cache.EstimatedSize()
		}
		if n := entries(); n != 1 {
			t.Fatalf("%d entries, want 1", n)
		}
		time.Sleep(2*30*time.Second + time.Millisecond) // twice its time to live
		if n := entries(); n != 0 {
			t.Errorf("%d entries, want none", n)
		}
		wantName(t, s, "Ada", FromL2) // and it is kept again
		wantName(t, s, "Ada", FromL1)
	})
}
