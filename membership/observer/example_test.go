package observer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/observer"
	"github.com/ringway/ringway/ring"
)

// agentOf stands in for an agent of the fleet.
func agentOf(members ...membership.Member) *httptest.Server {
	view, err := membership.NewView(1, members...)
	if err != nil {
		log.Fatal(err)
	}
	placement, err := agentapi.PlacementOf(ring.Config{})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := agentapi.RingOf(view, placement)
	if err != nil {
		log.Fatal(err)
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(answer)
	}))
}

func Example() {
	fleet := []membership.Member{{ID: "cache-a", Address: "10.0.0.1:6379"}, {ID: "cache-b", Address: "10.0.0.2:6379"}}
	first, second := agentOf(fleet...), agentOf(fleet...)
	defer first.Close()
	defer second.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	source, err := observer.New(ctx, observer.Config{
		Agents:  []string{first.URL, second.URL},
		OnError: func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()

	// A router takes the source as it is: router.Config{Source: source}.
	view, err := source.Next(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, node := range view.Current(membership.Redis) {
		fmt.Println(node.ID)
	}
	// Output:
	// cache-a
	// cache-b
}
