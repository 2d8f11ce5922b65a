package agentapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// The agent's side, and then its reader's.
func Example() {
	placement, err := agentapi.PlacementOf(ring.Config{})
	if err != nil {
		log.Fatal(err)
	}
	view, err := membership.NewView(3, membership.Member{ID: "cache-a", Address: "10.0.0.1:6379"})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := agentapi.RingOf(view, placement)
	if err != nil {
		log.Fatal(err)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		log.Fatal(err)
	}

	read, err := agentapi.ReadRing(bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	same, err := read.View()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("epoch", same.Epoch, same.Members[0].ID, "at", same.Members[0].Address)

	read.Members[0].Weight = 2 // damaged on the way
	_, err = read.View()
	fmt.Println(err != nil)
	// Output:
	// epoch 3 cache-a at 10.0.0.1:6379
	// true
}
