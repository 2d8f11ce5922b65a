package resizetest

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/proctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{proctest.Cleaning{M: m, Build: program}}) }

// patient gives goroutines of memberlist their time: one that waits for the answer
// to a probe ends when that is overdue, not with the member.
type patient struct{ proctest.Cleaning }

func (m patient) Run() int {
	code := m.Cleaning.Run()
	for deadline := time.Now().Add(bound); goleak.Find() != nil && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	return code
}

// bound is for what must happen and has no set time.
const bound = 90 * time.Second

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls: what is waited for happens elsewhere.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}
