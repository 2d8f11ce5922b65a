package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	addresses := []string{servertest.Memcached(t).Addr(), servertest.Memcached(t).Addr()}
	const want = `true from loader
Ada, version 1, from L2
Grace, version 2, from L2
the source was read 1 times
`
	agents := []string{agentOf(t, membership.Memcached, addresses) + "," + agentOf(t, membership.Memcached, addresses)} // as --agent has them
	redis := []string{agentOf(t, membership.Redis, []string{servertest.Redis(t).Addr()})}
	for _, given := range [][]string{addresses, addresses, agents, redis} { // also with what the first run has left
		var out strings.Builder
		if err := run(t.Context(), &out, given); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: it printed\n%s\nwant\n%s", given, out.String(), want)
		}
	}
	if err := run(t.Context(), &strings.Builder{}, []string{"127.0.0.1:1"}); err == nil {
		t.Error("no server: no error")
	}
}

// agentOf is an agent as far as clients ask it, of a fleet that never changes.
func agentOf(t *testing.T, kind membership.Kind, addresses []string) (url string) {
	t.Helper()
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: fmt.Sprint("node-", i), Address: address, Kind: kind})
	}
	view, errView := membership.NewView(7, members...)
	placement, errPlacement := agentapi.PlacementOf(ring.Config{})
	answer, errAnswer := agentapi.RingOf(view, placement)
	if err := errors.Join(errView, errPlacement, errAnswer); err != nil {
		t.Fatal(err)
	}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has(agentapi.AfterParameter) {
			<-r.Context().Done() // there is never any news
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(agent.Close)
	return agent.URL
}
