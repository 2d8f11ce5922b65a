package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/ring"
)

const (
	maxBody  = 4 << 10 // bytes of a request
	maxPolls = 4096    // requests that wait for news at the same time
)

// front answers HTTP requests.
type front struct {
	board   *board
	node    node
	guard   *guard
	metrics http.Handler
	log     *slog.Logger

	maxWait time.Duration   // agentapi.MaxWait
	closing context.Context // ends the requests that wait
	polls   atomic.Int64
}

// handler returns all there is.
func (f *front) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+agentapi.RingPath, f.ring)
	mux.HandleFunc("GET "+agentapi.MembersPath, f.members)
	mux.HandleFunc("GET /healthz", f.health)
	mux.HandleFunc("GET /readyz", f.ready)
	mux.Handle("GET /metrics", f.metrics)
	mux.HandleFunc("POST /v1/leave", f.leave)
	mux.HandleFunc("POST "+agentapi.WeightPath, f.weight)
	mux.HandleFunc("GET "+agentapi.RebalancePath, f.rebalance)
	mux.HandleFunc("POST "+agentapi.RebalancePath, f.order)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if f.guard.refuse(w, r) {
			f.log.Warn("request refused", "method", r.Method, "path", clip(r.URL.Path), "from", r.RemoteAddr)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

// clip bounds what a log line quotes of a request.
func clip(s string) string {
	const shown = 100 // bytes
	if len(s) > shown {
		return s[:shown] + "…"
	}
	return s
}

// ring answers GET /v1/ring: see package agentapi for how it waits.
func (f *front) ring(w http.ResponseWriter, r *http.Request) {
	text, known := r.URL.Query().Get(agentapi.AfterParameter), r.Header.Get("If-None-Match")
	after, wait := uint64(0), text != ""
	if wait {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			deny(w, http.StatusBadRequest, fmt.Sprintf("after: got %q, want an epoch", clip(text)))
			return
		}
		if f.polls.Add(1) > maxPolls {
			f.polls.Add(-1)
			w.Header().Set("Retry-After", "5")
			deny(w, http.StatusServiceUnavailable, "too many requests wait already")
			return
		}
		defer f.polls.Add(-1)
	}
	p, err := f.await(r.Context(), wait, after, known)
	switch {
	case err != nil:
		deny(w, http.StatusServiceUnavailable, "no view of the fleet yet")
	case p.etag == known:
		w.Header().Set("ETag", p.etag)
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", p.etag)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(p.body)
	}
}

// await returns the newest answer: at once unless the asker would wait for a
// newer epoch than after, or another answer than known, in which case for as
// long as may be.
func (f *front) await(ctx context.Context, wait bool, after uint64, known string) (*posting, error) {
	timer := time.NewTimer(f.maxWait)
	defer timer.Stop()
	for {
		p, changed := f.board.read()
		news := p != nil && (!wait || p.epoch > after || known != "" && p.etag != known)
		if news {
			return p, nil
		}
		if p == nil && !wait {
			return nil, errNoView
		}
		select {
		case <-changed:
			continue
		case <-timer.C:
		case <-ctx.Done():
		case <-f.closing.Done():
		}
		if p == nil {
			return nil, errNoView
		}
		return p, nil
	}
}

var errNoView = errors.New("agent: no view yet")

func (f *front) members(w http.ResponseWriter, _ *http.Request) {
	p, _ := f.board.read()
	if p == nil {
		deny(w, http.StatusServiceUnavailable, "no view of the fleet yet")
		return
	}
	reply(w, http.StatusOK, describe(p, f.node.Members(), f.node.Status()))
}

// health says that the process is well. What it speaks for may not be.
func (f *front) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// ready says whether the node serves as a part of the fleet.
func (f *front) ready(w http.ResponseWriter, _ *http.Request) {
	s := f.node.Status()
	if reason := notReady(s); reason != "" {
		deny(w, http.StatusServiceUnavailable, reason)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, string(s.Node.State)+"\n")
}

// leave takes the ID of the node that is meant, or nothing.
func (f *front) leave(w http.ResponseWriter, r *http.Request) {
	var o agentapi.LeaveOrder
	if err := decode(r, &o); err != nil && !errors.Is(err, io.EOF) {
		deny(w, http.StatusBadRequest, fmt.Sprintf(`body: got %v, want {"id": ID}, or nothing`, clip(err.Error())))
		return
	}
	if f.misdirected(w, o.ID) {
		return
	}
	f.log.Info("told to leave", "from", r.RemoteAddr)
	f.node.Drain()
	f.accepted(w)
}

// weight takes the ID of the node that is meant, or none: it is always the weight of
// the agent's own node, whose ID is in the answer.
func (f *front) weight(w http.ResponseWriter, r *http.Request) {
	var o agentapi.WeightOrder
	err := decode(r, &o)
	switch {
	case err != nil:
		deny(w, http.StatusBadRequest, fmt.Sprintf(`body: got %v, want {"id": ID, "weight": NUMBER}, or the weight alone`, clip(err.Error())))
		return
	case o.Weight == nil || !(*o.Weight > 0 && *o.Weight <= ring.MaxWeight):
		deny(w, http.StatusBadRequest, fmt.Sprintf("weight: want a number above 0, at most %d", ring.MaxWeight))
		return
	}
	if f.misdirected(w, o.ID) {
		return
	}
	if err := f.node.SetWeight(*o.Weight); err != nil {
		deny(w, http.StatusBadRequest, err.Error())
		return
	}
	f.log.Info("told to change the node's weight", "weight", *o.Weight, "from", r.RemoteAddr)
	f.accepted(w)
}

// accepted answers for what goes on after the answer.
func (f *front) accepted(w http.ResponseWriter) {
	s := f.node.Status()
	reply(w, http.StatusAccepted, map[string]any{"id": s.Node.ID, "state": s.Node.State, "waits": s.Waits})
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // of types that are known here
		deny(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
