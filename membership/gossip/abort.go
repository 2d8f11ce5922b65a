package gossip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/membership/internal/lifecycle"
)

// Abort rolls the transition under way among the nodes of this one's kind back to
// the ring before, keys included, and returns its number. It returns as soon as
// that is decided: what it takes to bring the keys back goes on, and is to be seen
// in the views. The error is ErrNoTransition, ErrRollback, or membership.ErrClosed.
//
// All members turn by the same record. A newcomer ends LEFT, by itself: see Left;
// a node that was leaving is ACTIVE again: see Leave; a change of weight is
// undone. The node must have asked its fleet's ledger before, so that a client
// cannot abort.
func (g *Gossip) Abort() (transition uint64, err error) {
	if g.cfg.Node == nil {
		return 0, errors.New("gossip: Abort: the member is no node")
	}
	err = membership.ErrClosed
	g.do(func() {
		var a ledger.Abort
		if a, err = g.loop.node.machine.Abort(); err == nil {
			transition = a.Transition
			g.loop.node.decideAbort(a)
		}
	})
	if err != nil {
		return 0, fmt.Errorf("gossip: abort: %w", err)
	}
	return transition, nil
}

// Left is closed once the node is LEFT: by Leave, or because the transition by
// which it joined was aborted. The member is to be ended with Leave then.
func (g *Gossip) Left() <-chan struct{} { return g.leftAlready }

// decideAbort tells all of an abort.
func (n *node) decideAbort(a ledger.Abort) {
	if !n.ledger.MergeAbort(a) {
		return
	}
	n.log.Warn("a transition is aborted", "transition", a.Transition, "stage", a.Stage.String())
	n.changed()
	n.passOnAbort(a)
}

// rolledBack notes what an abort has made of the node.
func (n *node) rolledBack(out lifecycle.Output) {
	n.log.Warn("the transition of this node was aborted: it is rolled back", "state", out.Record.State, "step", out.Record.Step)
	if out.Stays {
		n.withdraws = false
		n.answer(ErrRolledBack)
	}
}

// MaxHTTPLength is the longest NodeConfig.HTTP, in bytes.
const MaxHTTPLength = ledger.MaxHTTPLength

// plausibleHTTP reports whether a text can be where an agent answers; empty is
// nowhere.
func plausibleHTTP(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > ledger.MaxHTTPLength || !utf8.ValidString(text) {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0 && (u.Scheme == "http" || u.Scheme == "https") &&
		u.User == nil && u.Path == "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// httpURL completes what a member at an address says of where it answers; empty if
// that is nothing that could be asked.
func httpURL(text string, at netip.AddrPort) string {
	if text == "" || !plausibleHTTP(text) {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	if u.Hostname() == "" {
		u.Host = net.JoinHostPort(at.Addr().String(), u.Port())
	}
	return u.String()
}
