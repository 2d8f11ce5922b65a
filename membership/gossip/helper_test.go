package gossip

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer is a server in memory.
type fakeServer struct {
	mu     sync.Mutex
	keys   map[string]bool
	down   bool
	reason error // why; nil: errDown
	purges int
	sweeps int
	tries  int
	fails  error // of everything but Probe
}

var errDown = errors.New("the server is down")

func newServer(keys ...string) *fakeServer {
	s := &fakeServer{keys: make(map[string]bool)}
	for _, k := range keys {
		s.keys[k] = true
	}
	return s
}

func (s *fakeServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeServer) Probe(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return cmp.Or(s.reason, errDown)
	}
	return nil
}

func (s *fakeServer) Count(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	return int64(len(s.keys)), s.fails
}

func (s *fakeServer) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *fakeServer) Purge(ctx context.Context) (int64, error) {
	return s.remove(func(string) bool { return true }, &s.purges)
}

func (s *fakeServer) Sweep(_ context.Context, keep func(string) bool) (int64, error) {
	return s.remove(func(key string) bool { return !keep(key) }, &s.sweeps)
}

func (s *fakeServer) remove(which func(string) bool, calls *int) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return 0, s.fails
	}
	*calls++
	for k := range s.keys {
		if which(k) {
			delete(s.keys, k)
			n++
		}
	}
	return n, nil
}

func (s *fakeServer) swept() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sweeps
}

func (s *fakeServer) held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}

// logBook keeps what is logged, to be shown if the test fails.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newLog(t *testing.T, level slog.Level) (*slog.Logger, *logBook) {
	book := new(logBook)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", book)
		}
	})
	return slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: level})), book
}

// eventually waits until a condition holds. It is generous: it decides only when
// a test has failed.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
