package dataserver

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// paged is a server with one key in each of so many pages; asked gets the cursor of
// every SCAN.
func paged(t *testing.T, pages int) (s *redisServer, asked chan int) {
	t.Helper()
	asked = make(chan int, pages)
	fake := startResp(t, func(_ int, command []string) string {
		if command[0] != "SCAN" {
			return healthy(command)
		}
		at, err := strconv.Atoi(command[1])
		if err != nil {
			return "-ERR cursor\r\n"
		}
		asked <- at
		return "*2\r\n" + bulk(strconv.Itoa((at+1)%pages)) + "*1\r\n" + bulk("key"+strconv.Itoa(at))
	})
	return openRedis(t, Config{URL: fake.url()}), asked
}

// While a page is worked on, the server is asked for the next two, and for no more.
func TestEachIsAhead(t *testing.T) {
	s, asked := paged(t, 6)
	var keys []string
	err := Each(t.Context(), s, func(string) bool { return true }, func(found []Found) error {
		if len(keys) == 0 {
			for want := range 3 {
				select {
				case at := <-asked:
					if at != want {
						t.Errorf("page %d is asked for, want %d", at, want)
					}
				case <-time.After(20 * time.Second):
					t.Errorf("page %d is not asked for while the first is worked on", want)
				}
			}
		}
		for _, f := range found {
			keys = append(keys, f.Key)
		}
		return nil
	})
	if want := []string{"key0", "key1", "key2", "key3", "key4", "key5"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("found %q, %v", keys, err)
	}
}

// However a walk ends, nobody goes on asking the server (goleak looks too).
func TestEachEnds(t *testing.T) {
	stop := errors.New("enough")
	s, asked := paged(t, 1000)
	if err := Each(t.Context(), s, func(string) bool { return true }, func([]Found) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("page's error comes back as %v", err)
	}
	if n := len(asked); n > 4 {
		t.Errorf("%d pages were asked for, of which one was wanted", n)
	}
	s, _ = paged(t, 1000)
	var once sync.Once
	err := Each(t.Context(), s, func(string) bool { return true }, func([]Found) error {
		once.Do(func() { s.Close() })
		return nil
	})
	if !errors.Is(err, ErrClosed) {
		t.Errorf("closed meanwhile: %v", err)
	}
}
