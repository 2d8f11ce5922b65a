package memcache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMetadump(t *testing.T) {
	_, server := real(t)
	c := client(t, Config{Address: server.Addr(), EncodeKeys: true})
	ctx := background(t)
	if items := dumpAll(t, c); len(items) != 0 {
		t.Errorf("an empty server: got %v", items)
	}
	want := make(map[string]time.Duration)
	var items []Item
	for i := range 3000 {
		key := fmt.Sprintf("plain:%d", i)
		switch i % 3 {
		case 1:
			key = fmt.Sprintf("odd %d\r\n%%41=+\x00\xff", i)
		case 2:
			key = fmt.Sprintf("世界%d=%%20&", i)
		}
		ttl := time.Duration(i%2) * time.Hour
		want[key] = ttl
		items = append(items, Item{Key: key, Value: make([]byte, i%100), TTL: ttl})
	}
	start := time.Now()
	must(t, c.SetMulti(ctx, items))
	for _, item := range dumpAll(t, c) {
		ttl, known := want[item.Key]
		if !known {
			t.Fatalf("%q: not stored, or came twice", item.Key)
		}
		delete(want, item.Key)
		if item.CAS == 0 || item.Size == 0 || item.Fetched || item.Expires.IsZero() != (ttl == 0) {
			t.Fatalf("got %+v", item)
		}
		if ttl != 0 && item.Expires.Sub(start.Add(ttl)).Abs() > 10*time.Second || item.LastAccess.Sub(start).Abs() > 10*time.Second {
			t.Fatalf("times: got %+v, stored at %v for %v", item, start, ttl)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d keys did not come", len(want))
	}

	// A loop that is left early leaves nothing behind, and the next one works.
	for _, err := range c.Metadump(ctx) {
		if err != nil {
			wantError(t, err, ErrBusy)
		}
		break
	}
	if items := dumpAll(t, c); len(items) != 3000 {
		t.Errorf("got %d items after a dump that was left", len(items))
	}
}

// dumpAll collects a dump. A server is busy now and then by itself.
func dumpAll(t *testing.T, c *Client) (items []ItemInfo) {
	eventually(t, "the crawler is free", func() bool {
		items = nil
		for item, err := range c.Metadump(background(t)) {
			if errors.Is(err, ErrBusy) {
				return false
			}
			must(t, err)
			items = append(items, item)
		}
		return true
	})
	return items
}

func TestMetadumpFaults(t *testing.T) {
	const line = "key=a exp=-1 la=1700000000 cas=1 fetch=no cls=1 size=63\n"
	tests := []struct {
		name, answer string
		want         error // nil: none
		items        int
	}{
		{"complete", line + line + "END\r\n", nil, 2},
		{"announced", "OK\r\n" + line + "END\r\n", nil, 1},
		{"busy", "BUSY currently processing crawler request\r\n", ErrBusy, 0},
		{"forbidden", "ERROR metadump not allowed\r\n", ErrUnsupported, 0},
		{"server error", line + "SERVER_ERROR out of memory\r\n", ErrServerError, 1},
		{"cut off", line + line[:20], ErrOutcomeUnknown, 1},
		{"without its end", line, ErrOutcomeUnknown, 1},
		{"no key", "exp=-1 la=1700000000\nEND\r\n", ErrProtocol, 0},
		{"bad escape", "key=%4 exp=-1\nEND\r\n", ErrProtocol, 0},
		{"bad number", "key=a exp=soon\nEND\r\n", ErrProtocol, 0},
		{"rubbish", "what?\nEND\r\n", ErrProtocol, 0},
		{"BUSY in the middle", line + "BUSY\r\n", ErrProtocol, 1},
		{"a line without end", strings.Repeat("k", 5000), ErrOutcomeUnknown, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, Config{Address: fake(t, func(s *session) {
				if got := s.line(); got != "lru_crawler metadump hash" {
					s.send("got " + got)
				}
				s.send(tt.answer)
			})})
			items, last := 0, error(nil)
			for _, err := range c.Metadump(background(t)) {
				if last != nil {
					t.Error("something came after an error")
				}
				if last = err; err == nil {
					items++
				}
			}
			if !errors.Is(last, tt.want) || items != tt.items {
				t.Errorf("got %d items and %v, want %d and %v", items, last, tt.items, tt.want)
			}
		})
	}
}

// A dump that waits for the server ends with its context, and with the Client.
func TestMetadumpEnds(t *testing.T) {
	asked := make(chan struct{}, 2)
	c := client(t, Config{Address: fake(t, func(s *session) {
		s.line()
		asked <- struct{}{}
		s.untilClosed()
	})})
	dump := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() {
			for _, err := range c.Metadump(ctx) {
				done <- err
			}
		}()
		<-asked
		return done
	}
	ends := func(done <-chan error, want error) {
		t.Helper()
		select {
		case err := <-done:
			wantError(t, err, want)
		case <-time.After(patience): // before dumpPatience
			t.Fatal("the dump does not end")
		}
	}
	ctx, cancel := context.WithCancel(background(t))
	done := dump(ctx)
	cancel()
	ends(done, context.Canceled)
	done = dump(background(t))
	c.Close()
	ends(done, ErrClosed)
}

func FuzzDumpLine(f *testing.F) {
	f.Add("key=a%20b exp=-1 la=1700000000 cas=7 fetch=yes cls=1 size=63")
	f.Add("key= exp==")
	f.Add("key=%zz size=-1")
	f.Fuzz(func(t *testing.T, line string) {
		if item, ok := parseDumpLine(line); ok && (item.Key == "" || item.Size < 0 || len(item.Key) > len(line)) {
			t.Errorf("%q: got %+v", line, item)
		}
	})
}

func TestServerStats(t *testing.T) {
	c, server := real(t)
	ctx := background(t)
	stats, err := c.ServerStats(ctx, "")
	if err != nil || stats["pid"] != fmt.Sprint(server.Pid()) || stats["version"] == "" {
		t.Errorf("got %v, %v", stats, err)
	}
	stats, err = c.ServerStats(ctx, "settings")
	if err != nil || stats["maxbytes"] == "" || stats["tcpport"] == "" {
		t.Errorf("settings: got %v, %v", stats, err)
	}
	_, err = c.ServerStats(ctx, "items") // of an empty server
	wantError(t, err, ErrNoStats)
	for _, bad := range []string{"a b", "x\r\nflush_all", "Reset", "reset"} {
		_, err = c.ServerStats(ctx, bad)
		wantError(t, err, ErrInvalidRequest)
	}
	frozen := client(t, Config{Address: fake(t, (*session).untilClosed), ReplyTimeout: 1})
	_, err = frozen.ServerStats(ctx, "")
	wantError(t, err, ErrOverdue)
}
