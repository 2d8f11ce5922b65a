package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
)

// rebalance answers GET /v1/rebalance.
func (f *front) rebalance(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, f.node.Rebalance())
}

// order answers POST /v1/rebalance. What is wrong with an order is told before any
// of it is done.
func (f *front) order(w http.ResponseWriter, r *http.Request) {
	var o agentapi.RebalanceOrder
	if err := decode(r, &o); err != nil {
		deny(w, http.StatusBadRequest, fmt.Sprintf(`body: got %v, want {"pause": true, …}`, clip(err.Error())))
		return
	}
	if err := o.Check(); err != nil {
		deny(w, http.StatusBadRequest, err.Error())
		return
	}
	if f.misdirected(w, o.ID) {
		return
	}
	err := f.node.Order(o)
	switch {
	case err == nil:
		f.log.Info("the mover has an order", "from", r.RemoteAddr, "order", shownOrder(o))
		reply(w, http.StatusAccepted, f.node.Rebalance())
	case errors.Is(err, gossip.ErrNoTransition), errors.Is(err, gossip.ErrRollback), errors.Is(err, errNoMover), errors.Is(err, membership.ErrClosed):
		deny(w, http.StatusConflict, err.Error())
	default:
		deny(w, http.StatusBadRequest, err.Error())
	}
}

// misdirected refuses an order that is for another node, with where that one's agent
// is, and reports whether it did. It is not passed on: an agent has no token of
// another, and whoever may tell one may not be whom the other listens to.
func (f *front) misdirected(w http.ResponseWriter, meant string) bool {
	id := f.node.Status().Node.ID
	if meant == "" || meant == id {
		return false
	}
	deny(w, http.StatusMisdirectedRequest, fmt.Sprintf("this is the agent of node %q, the order is for %q: %s", id, clip(meant), f.whereIs(meant)))
	return true
}

// whereIs says in words where a node's agent answers, as far as that is known.
func (f *front) whereIs(id string) string {
	for _, m := range f.node.Members() {
		switch {
		case m.ID != id:
		case m.Kind == membership.Router:
			return "that is a router, which has no agent"
		case m.HTTP != "":
			return "its agent answers at " + m.HTTP
		default:
			return "its agent does not tell where it answers"
		}
	}
	return "this agent knows no such node"
}

// shownOrder is what a log shows of an order.
func shownOrder(o agentapi.RebalanceOrder) string {
	text, err := json.Marshal(o)
	if err != nil { // of a type that is known here
		return err.Error()
	}
	return string(text)
}

// decode reads the one JSON value of a request.
func decode(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil && decoder.More() {
		err = errors.New("more than one value")
	}
	return err
}
