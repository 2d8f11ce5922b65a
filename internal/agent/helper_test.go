package agent

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{m}) }

// patient gives goroutines of memberlist their time: one that waits for the answer
// to a probe ends when that is overdue, not with the member.
type patient struct{ *testing.M }

func (m patient) Run() int {
	code := m.M.Run()
	for deadline := time.Now().Add(bound); goleak.Find() != nil && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	return code
}

var quiet = slog.New(slog.DiscardHandler)

// fakeNode stands in for the agent behind its HTTP interface.
type fakeNode struct {
	mu      sync.Mutex
	status  gossip.Status
	members []gossip.Member
	left    int
	weights []float64
	refuse  error // of SetWeight
	mover   *fakeMover
}

func (n *fakeNode) Status() gossip.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

func (n *fakeNode) Members() []gossip.Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.members
}

func (n *fakeNode) Drain() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left++
}

func (n *fakeNode) SetWeight(weight float64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse == nil {
		n.weights = append(n.weights, weight)
	}
	return n.refuse
}

func (n *fakeNode) Rebalance() agentapi.Rebalance {
	r := agentapi.Rebalance{Schema: agentapi.RebalanceSchema, ID: "a", Phase: "stable", State: "none"}
	if n.mover != nil {
		describeMover(&r, n.mover)
	}
	return r
}

func (n *fakeNode) Order(o agentapi.RebalanceOrder) error {
	switch {
	case o.Abort:
		return gossip.ErrNoTransition
	case n.mover == nil:
		return errNoMover
	}
	return orderMover(n.mover, o)
}

// newTestFront returns a front without a view yet.
func newTestFront(t *testing.T) (*front, *fakeNode) {
	t.Helper()
	b, err := newBoard(ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	n := &fakeNode{status: gossip.Status{Contact: true, Healthy: true, Node: membership.Member{ID: "a", State: membership.Active}}}
	f := &front{board: b, node: n, guard: newGuard("cache-a"), log: quiet, maxWait: maxWait, metrics: http.NotFoundHandler()}
	var stop context.CancelFunc
	f.closing, stop = context.WithCancel(context.Background())
	t.Cleanup(stop)
	return f, n
}

// view returns a fleet in an epoch, in which all nodes are redis servers.
func view(t *testing.T, epoch uint64, members ...membership.Member) membership.View {
	t.Helper()
	for i := range members {
		if members[i].Address == "" {
			members[i].Address = "10.0.0.1:6379"
		}
	}
	v, err := membership.NewView(epoch, members...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func post(t *testing.T, f *front, v membership.View) {
	t.Helper()
	if err := f.board.post(v); err != nil {
		t.Fatal(err)
	}
}

// ask puts a request as it comes on loopback.
func ask(f *front, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8946", "127.0.0.1:40000"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.handler().ServeHTTP(w, r.WithContext(withLocal(r.Context(), "127.0.0.1:8946")))
	return w
}

func text(w *httptest.ResponseRecorder) string {
	b, _ := io.ReadAll(w.Body)
	return strings.TrimSpace(string(b))
}
