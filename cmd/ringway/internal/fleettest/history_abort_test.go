package fleettest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
)

// abort takes the fleet back to the rings before.
func (f *fleet) abort() {
	f.t.Helper()
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		if out, err := f.ringway("rebalance", "--abort", "--kind", string(kind), "--agent", f.node("redis-a").http); err != nil {
			f.t.Fatalf("ringway rebalance --abort --kind %s: %v: %s", kind, err, out)
		}
	}
}

// weigh gives a node another weight.
func (f *fleet) weigh(id string, weight float64) {
	f.t.Helper()
	n := f.node(id)
	resp, err := fetch.Post(n.http+agentapi.WeightPath, "application/json", strings.NewReader(fmt.Sprintf(`{"id": %q, "weight": %v}`, id, weight)))
	if err != nil {
		f.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		f.t.Fatalf("%s: %s: %s", id, agentapi.WeightPath, resp.Status)
	}
	n.weight = weight
}

// TestHistoryOfAborts: nodes join, and leave, and get other weights; the first two are
// taken back while keys move, the first with an agent killed on the way back at one that
// gives, the second at one that receives.
func TestHistoryOfAborts(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t, "--move-keys", "100")
	s := f.fill()
	all := f.startHistorians(seed)

	newcomers, stay := []string{"redis-x", "mc-x"}, []string{"redis-b", "mc-b"}
	for _, id := range newcomers {
		n := f.newNode(id)
		f.nodes = append(f.nodes, n)
		f.startAgent(n, false)
	}
	f.moving(stay...)
	f.arm(newcomers, "mover.stored", 1) // they give nothing before the way back
	f.abort()
	what := "a join was aborted, and a giving agent killed on the way back"
	f.killedAndStarted(newcomers, what)
	f.awaitLeft(newcomers...)
	f.settled(what)
	f.intact(what, s)

	f.askToLeave(stay...)
	f.moving(stay...)
	f.abort()
	f.moving("redis-a", "mc-a") // back to those that were to leave
	for _, id := range stay {
		f.node(id).killAgent()
		f.startAgent(f.node(id), false)
	}
	what = "a leave was aborted, and a receiving agent killed on the way back"
	f.settled(what)
	f.intact(what, s)

	f.weigh("redis-c", 3)
	f.weigh("mc-a", 2)
	what = "nodes have other weights"
	f.settled(what)
	f.intact(what, s)
	f.promisesKept(all, true, 5)
	f.tidy("at the end")
}
